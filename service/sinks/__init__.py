"""Sinks: where the actions of routes, dead letters and recordings are written."""
