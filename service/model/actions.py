"""What a route asks for. Target, id and version come from the route's declaration and the record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Document: TypeAlias = Mapping[str, Any]
Row: TypeAlias = Sequence[Any]


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
    """Set these attributes, the key's among them, and leave what other programs put beside them.

    An item that does not exist is created only with `create`: else a late record would bring a deleted one back.
    """

    item: Mapping[str, Any]
    create: bool = False


@dataclass(frozen=True, slots=True)
class DeleteItem:
    """Remove the item with this key from the table of the route's `writes`."""

    key: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """What stands in the place of a row that cannot be read, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class InsertRows:
    """Add rows to the SQL database of the route's `writes`: all of them, or none.

    `statement` has a `%s` for each column of a row, whatever the database is; `%%` is a percent sign. `rows` are
    read one by one while they are written, and may be many. A bad one refuses all of them; with `keep_bad` the
    others are added, and those that are bad are told in the record's dead letter.
    """

    statement: str
    rows: Iterable[Row | BadRow]
    keep_bad: bool = False


SearchAction: TypeAlias = Index | Delete
TableAction: TypeAlias = PutItem | UpdateItem | DeleteItem
Action: TypeAlias = SearchAction | TableAction | InsertRows
