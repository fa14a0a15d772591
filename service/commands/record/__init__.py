"""Record the changes of a table to a file."""
