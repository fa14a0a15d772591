"""DynamoDB streams as sources: which shards there are, whose turn it is, and where reading each stands."""

from __future__ import annotations

from .source import StreamSource
from .status import ShardStatus, StreamStatus

__all__ = ["ShardStatus", "StreamSource", "StreamStatus"]
