"""A table as a source: all its items, segment by segment."""

from __future__ import annotations

from .source import ScanSource
from .table import Table, describe

__all__ = ["ScanSource", "Table", "describe"]
