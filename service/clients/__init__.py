"""Clients of AWS, the search server and the SQL database, made from settings."""
