"""DynamoDB streams as sources."""

from __future__ import annotations

from .stream_source import StreamSource
from .stream_status import ShardStatus, StreamStatus

__all__ = ["ShardStatus", "StreamSource", "StreamStatus"]
