"""OpenSearch or Elasticsearch as a sink."""

from __future__ import annotations

from .sink import SearchSink

__all__ = ["SearchSink"]
