"""The actions that a route returns. Target, id and version come from the route's declaration and the record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Document: TypeAlias = Mapping[str, Any]
Row: TypeAlias = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Index:
    """Write the document of the record's item or object to the route's `index`."""

    document: Document


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the document of the record's item or object from the route's `index`."""


@dataclass(frozen=True, slots=True)
class PutItem:
    """Replace the whole item in the table of the route's `writes`."""

    item: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UpdateItem:
    """Set these attributes and keep all others. `item` includes the key attributes.

    A missing item is created only if `create` is True. Otherwise a late record could restore a deleted item.
    """

    item: Mapping[str, Any]
    create: bool = False


@dataclass(frozen=True, slots=True)
class DeleteItem:
    """Delete the item with this key from the table of the route's `writes`."""

    key: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read, with the reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class InsertRows:
    """Insert rows into the SQL database of the route's `writes`: all of them or none.

    `statement` has one `%s` per column for every database; `%%` is a percent sign. `rows` are read one at a time
    while they are written, so they need not fit in memory. One bad row rejects all rows. If `keep_bad` is True,
    the good rows are inserted and the record's dead letter lists the bad rows.
    """

    statement: str
    rows: Iterable[Row | BadRow]
    keep_bad: bool = False


@dataclass(frozen=True, slots=True)
class Reindex:
    """Make the documents of these items again, because the record changes what they are made of.

    `route` is a route class that the returning route lists in `reindexes`. `keys` has the keys of items of its
    table; for a CollectionRoute, the partition key is enough. It may be a generator, which is read bit by bit.
    """

    route: type[Any]
    keys: Iterable[Mapping[str, Any]]


SearchAction: TypeAlias = Index | Delete
TableAction: TypeAlias = PutItem | UpdateItem | DeleteItem
Action: TypeAlias = SearchAction | TableAction | InsertRows | Reindex
