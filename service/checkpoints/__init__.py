"""Checkpoints by group, stream and shard, in SQLite or a DynamoDB table, and the lease of a group."""
