"""Load all items of tables, or of exports, into their indices while their streams are live."""
