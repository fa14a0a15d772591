"""List routes, explain how a record is routed, and write a new route."""
