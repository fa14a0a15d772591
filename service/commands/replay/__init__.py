"""Run recordings through the routes."""
