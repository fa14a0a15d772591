"""A table as parts of a source: all its items, segment by segment."""

from __future__ import annotations

from .pace import ReadPace
from .segments import Scan as TableScan
from .segments import Segment, segments_of
from .table import MissingTable, Table, describe

__all__ = ["MissingTable", "ReadPace", "Segment", "Table", "TableScan", "describe", "segments_of"]
