"""Clients of AWS, the search server and the SQL database, created from settings."""
