"""What a route asks for. Target, id and version come from the route's declaration and the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Document: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Index:
    """Make this the document of the record's item or object, in the route's `index`."""

    document: Document


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the document of the record's item or object from the route's `index`."""


@dataclass(frozen=True, slots=True)
class PutItem:
    """Make this the whole item, in the table of the route's `writes`."""

    item: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UpdateItem:
    """Set these attributes, the key's among them, and leave what other programs put beside them."""

    item: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteItem:
    """Remove the item with this key from the table of the route's `writes`."""

    key: Mapping[str, Any]


SearchAction: TypeAlias = Index | Delete
TableAction: TypeAlias = PutItem | UpdateItem | DeleteItem
Action: TypeAlias = SearchAction | TableAction
