"""Routes: what a user writes, and which of them a record goes to."""

from __future__ import annotations

from ..settings.declaration import setting
from .actions import Action, Delete, DeleteItem, Document, Index, PutItem, UpdateItem
from .indices import IndexDeclaration
from .names import Names
from .router import BoundRoute, Router
from .routes import BucketRoute, Route, TableRoute

__all__ = [
    "Action",
    "BoundRoute",
    "BucketRoute",
    "Delete",
    "DeleteItem",
    "Document",
    "Index",
    "IndexDeclaration",
    "Names",
    "PutItem",
    "Route",
    "Router",
    "TableRoute",
    "UpdateItem",
    "setting",
]
