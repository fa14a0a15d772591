"""Indices as code: compare the declarations of routes with the search server, and apply them."""
