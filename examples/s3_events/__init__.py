"""Three ways to wire the events of a bucket to Lambda functions."""
