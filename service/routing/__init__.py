"""Routes: what a user writes, and which of them a record goes to."""

from __future__ import annotations

from ..settings.declaration import setting
from .actions import Action, BadRow, Delete, DeleteItem, Document, Index, InsertRows, PutItem, Row, UpdateItem
from .indices import IndexDeclaration
from .names import Names
from .router import BoundRoute, Router
from .routes import BucketRoute, Route, TableRoute

__all__ = [
    "Action",
    "BadRow",
    "BoundRoute",
    "BucketRoute",
    "Delete",
    "DeleteItem",
    "Document",
    "Index",
    "IndexDeclaration",
    "InsertRows",
    "Names",
    "PutItem",
    "Route",
    "Router",
    "Row",
    "TableRoute",
    "UpdateItem",
    "setting",
]
