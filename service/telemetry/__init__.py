"""What is told about the work: logs."""
