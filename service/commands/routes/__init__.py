"""List routes, explain why a record goes where it goes, and write a new route."""
