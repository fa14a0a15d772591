"""SQS queues as sources."""
