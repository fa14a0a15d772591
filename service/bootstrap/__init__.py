"""Build the application from settings: the only place that wires its parts together."""
