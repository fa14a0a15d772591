"""The thin edges: Lambda, container, command line."""
