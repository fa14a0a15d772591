"""Builds the application from its settings. This is the only package that wires the parts together."""
