"""Change records, actions, outcomes and versions: values without I/O."""

from __future__ import annotations

from typing import TypeAlias

from .events import CREATED, DELETED, INSERT, MODIFY, REMOVE
from .object_record import ObjectRecord, Revision
from .table_record import Item, TableRecord
from .undecodable import Undecodable

Change: TypeAlias = TableRecord | ObjectRecord
"""A decoded record."""

Record: TypeAlias = TableRecord | ObjectRecord | Undecodable
"""Any record of a source, decoded or not. Each one gets exactly one outcome."""

__all__ = [
    "CREATED",
    "DELETED",
    "INSERT",
    "MODIFY",
    "REMOVE",
    "Change",
    "Item",
    "ObjectRecord",
    "Record",
    "Revision",
    "TableRecord",
    "Undecodable",
]
