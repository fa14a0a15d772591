"""The HTTP endpoints of the container: health, metrics and the page."""
