"""Sink for SQL databases: adds rows once per content of an object. The first row imports SQLAlchemy."""

from __future__ import annotations

from .row_sink import RowSink

__all__ = ["RowSink"]
