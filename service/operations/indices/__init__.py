"""Indices as code: what routes declare of them, compared with what is there."""
