"""Dispatch the records of recordings to the routes again."""
