"""Positions in streams, by group, stream and shard: in SQLite or a DynamoDB table, with the lease of a group."""
