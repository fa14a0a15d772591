"""All items of a table as a source, read segment by segment."""

from __future__ import annotations

from .read_rate import ReadPace
from .scanned_table import MissingTable, Table, describe
from .segments import Scan as TableScan
from .segments import Segment, segments_of

__all__ = ["MissingTable", "ReadPace", "Segment", "Table", "TableScan", "describe", "segments_of"]
