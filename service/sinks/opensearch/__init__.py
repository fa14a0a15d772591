"""Sink for OpenSearch and Elasticsearch."""

from __future__ import annotations

from .search_sink import SearchSink

__all__ = ["SearchSink"]
