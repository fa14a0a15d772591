"""SQL databases as a sink: rows, once for each content of an object. SQLAlchemy is imported with the first row."""

from __future__ import annotations

from .row_sink import RowSink

__all__ = ["RowSink"]
