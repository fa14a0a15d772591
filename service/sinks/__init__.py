"""Sinks for the actions of routes, for dead letters and for recordings."""
