"""streamdex: keep search indices in sync with DynamoDB tables and S3 buckets.

The names in `__all__` are public and follow semantic versioning. Importing this package loads neither boto3 nor
opensearch-py, which keeps cold starts short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .context import Context
from .errors import Reject, Retry, Skip, StreamdexError
from .model import Item, ObjectRecord, TableRecord
from .routing import (
    Action,
    BadRow,
    BucketRoute,
    CollectionRoute,
    Delete,
    DeleteItem,
    Document,
    Index,
    InsertRows,
    PutItem,
    Reindex,
    Row,
    TableRoute,
    UpdateItem,
    setting,
)
from .table_reads import at_least, at_most, begins_with, between

if TYPE_CHECKING:
    from .model.deserializer import Deserializer

__version__ = "0.1.0"

__all__ = [
    "Action",
    "BadRow",
    "BucketRoute",
    "CollectionRoute",
    "Context",
    "Delete",
    "DeleteItem",
    "Deserializer",
    "Document",
    "Index",
    "InsertRows",
    "Item",
    "ObjectRecord",
    "PutItem",
    "Reindex",
    "Reject",
    "Retry",
    "Row",
    "Skip",
    "StreamdexError",
    "TableRecord",
    "TableRoute",
    "UpdateItem",
    "at_least",
    "at_most",
    "begins_with",
    "between",
    "setting",
]


def __getattr__(name: str) -> Any:
    """Import `Deserializer` on first use, because it loads boto3."""
    if name == "Deserializer":
        from .model.deserializer import Deserializer

        return Deserializer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
