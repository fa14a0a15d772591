"""Load all items of tables, or of their exports, into the indices while the streams are live."""
