"""The entry points: Lambda handler, container, command line."""
