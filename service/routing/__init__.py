"""Routes: the base classes of the users' routes, and the router that finds the routes of a record."""

from __future__ import annotations

from ..model.actions import (
    Action,
    BadRow,
    Delete,
    DeleteItem,
    Document,
    Index,
    InsertRows,
    PutItem,
    Reindex,
    Row,
    UpdateItem,
)
from ..settings.declaration import setting
from .index_declarations import IndexDeclaration
from .logical_names import Names
from .pipeline_declarations import PipelineDeclaration
from .placement import Location
from .router import BoundRoute, Router
from .routes import BucketRoute, CollectionRoute, Route, TableRoute

__all__ = [
    "Action",
    "BadRow",
    "BoundRoute",
    "BucketRoute",
    "CollectionRoute",
    "Delete",
    "DeleteItem",
    "Document",
    "Index",
    "IndexDeclaration",
    "InsertRows",
    "Location",
    "Names",
    "PipelineDeclaration",
    "PutItem",
    "Reindex",
    "Route",
    "Router",
    "Row",
    "TableRoute",
    "UpdateItem",
    "setting",
]
