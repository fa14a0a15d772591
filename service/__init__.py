"""streamdex: keeps search indices in step with DynamoDB tables and S3 buckets.

The names below are public, under semantic versioning. Importing them loads neither boto3 nor opensearch-py:
a cold start pays for what it uses.
"""

from __future__ import annotations

from .context import Context
from .errors import Reject, Retry, Skip, StreamdexError
from .records import Item, ObjectRecord, TableRecord
from .routing import (
    Action,
    BucketRoute,
    Delete,
    DeleteItem,
    Document,
    Index,
    PutItem,
    TableRoute,
    UpdateItem,
    setting,
)

__version__ = "0.1.0"

__all__ = [
    "Action",
    "BucketRoute",
    "Context",
    "Delete",
    "DeleteItem",
    "Document",
    "Index",
    "Item",
    "ObjectRecord",
    "PutItem",
    "Reject",
    "Retry",
    "Skip",
    "StreamdexError",
    "TableRecord",
    "TableRoute",
    "UpdateItem",
    "setting",
]
