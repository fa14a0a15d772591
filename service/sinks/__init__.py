"""Sinks write the actions of routes, dead letters and recordings."""
