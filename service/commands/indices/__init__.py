"""Indices as code: the declarations of routes, compared with the search server."""
