"""The classes that a user's routes derive from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ..model import CREATED, DELETED, INSERT, MODIFY, REMOVE, Item, ObjectRecord, TableRecord
from ..model.actions import Action, Delete, Document, Index

if TYPE_CHECKING:
    from ..context import Context


class Route:
    """What routes of tables and of buckets have in common."""

    index: ClassVar[str] = ""
    """The index of the route's documents (logical name)."""

    mapping: ClassVar[Mapping[str, Any]] = {}
    """The index's mappings, used when the service creates it; several routes of one index add theirs up."""

    index_settings: ClassVar[Mapping[str, Any]] = {}
    """The index's own settings, such as {"number_of_shards": 3, "analysis": {...}}; added up likewise."""

    aliases: ClassVar[Collection[str]] = ()
    """Further names under which the index is searched (logical names)."""

    writes: ClassVar[Mapping[str, str]] = {}
    """Where else the route writes: items to {"table": name} (logical name), or rows to {"database": "sql"}."""

    cycle: ClassVar[bool] = False
    """True if what the route writes may come back to it, as a change of a table that it reads, directly or over
    other routes. It must return no action once nothing is left to change: each write is a record of its own."""

    fetch: ClassVar[bool] = False
    """Whether records are only a hint: what is there now is read, and that is written."""

    versions: ClassVar[str | None] = "external"
    """None for an index that keeps no external versions: then every record is a hint."""

    ignore: ClassVar[Collection[str]] = ()
    """Events that the route has nothing to do with on purpose."""


class TableRoute(Route):
    """A kind of item of a DynamoDB table, kept in step with an index.

    Declare `table`, `key` and `index`, and write `document`. For more, override `insert`, `modify` or `remove`:
    each takes the record and the context and returns actions. They write nothing themselves.
    """

    table: ClassVar[str] = ""
    """The table (logical name); `*` stands for any text, and then document ids carry the table's name."""

    key: ClassVar[Mapping[str, str]] = {}
    """The table's key attributes with their types, the partition key first: {"PK": "S", "SK": "N"}."""

    where: ClassVar[Mapping[str, str]] = {}
    """Patterns of key attributes that pick this kind of item: {"PK": "USER#*"}. Only `*` is special."""

    def wants(self, record: TableRecord) -> bool:
        """Whether the record is for this route, once table and `where` match."""
        return True

    def document(self, item: Item) -> Document | None:
        """The document of an item; None if it should not be searchable."""
        raise NotImplementedError(f"{type(self).__name__} has no document()")

    def documents(self, items: Sequence[Item], context: Context) -> Sequence[Document | None]:
        """The documents of many items, in their order, for routes that look something up for all at once."""
        return [self.document(item) for item in items]

    def insert(self, record: TableRecord, context: Context) -> Iterable[Action]:
        """An item is new: index its document."""
        return [self._searchable(record, context)]

    def modify(self, record: TableRecord, context: Context) -> Iterable[Action]:
        """An item has changed: index its document as it is now."""
        return [self._searchable(record, context)]

    def remove(self, record: TableRecord, context: Context) -> Iterable[Action]:
        """An item is gone: delete its document."""
        return [Delete()]

    def _searchable(self, record: TableRecord, context: Context) -> Action:
        (document,) = self.documents([record.new or {}], context)
        return Delete() if document is None else Index(document)


class BucketRoute(Route):
    """A kind of object of an S3 bucket. Write `created`, `deleted` or both; both return actions."""

    bucket: ClassVar[str] = ""
    """The bucket (logical name); `*` stands for any text, and then document ids carry the bucket's name."""

    queue: ClassVar[str] = ""
    """The queue that `make run` and `make shim` make for the bucket's events (logical name); one of all routes
    that name none."""

    prefix: ClassVar[str] = ""
    suffix: ClassVar[str] = ""

    def wants(self, upload: ObjectRecord) -> bool:
        """Whether the object is for this route, once bucket, prefix and suffix match."""
        return True

    def created(self, upload: ObjectRecord, context: Context) -> Iterable[Action]:
        """An object is there, new or overwritten."""
        raise NotImplementedError(f"{type(self).__name__} has no created()")

    def deleted(self, upload: ObjectRecord, context: Context) -> Iterable[Action]:
        """An object is gone."""
        raise NotImplementedError(f"{type(self).__name__} has no deleted()")


METHODS: Mapping[str, str] = {
    INSERT: "insert",
    MODIFY: "modify",
    REMOVE: "remove",
    CREATED: "created",
    DELETED: "deleted",
}
"""The method that takes an event."""


def implemented_events(route: type[Route]) -> frozenset[str]:
    """The events that a class has a method for that can work, decided from the class alone.

    A route that ignores an event gives up what it would inherit for it.
    """
    inherited = {event for event, method in METHODS.items() if _works(route, method)} - set(route.ignore)
    return frozenset(inherited | written_events(route))


def written_events(route: type[Route]) -> frozenset[str]:
    """The events that a class has a method of its own for."""
    return frozenset(
        event for event, method in METHODS.items() if hasattr(route, method) and _overrides(route, method)
    )


def does_something(route: type[Route]) -> bool:
    """Whether its author wrote anything that makes an action."""
    return bool(written_events(route)) or (issubclass(route, TableRoute) and has_document(route))


def uses_documents(route: type[Route], event: str) -> bool:
    """Whether the event is left to `documents`, so that many items can be asked for at once."""
    if not issubclass(route, TableRoute) or event not in (INSERT, MODIFY):
        return False
    return event in implemented_events(route) and not _overrides(route, METHODS[event])


def _works(route: type[Route], method: str) -> bool:
    if not hasattr(route, method):
        return False
    if _overrides(route, method):
        return True
    if issubclass(route, TableRoute):
        return bool(route.index) if method == "remove" else has_document(route)
    return False


def has_document(route: type[Route]) -> bool:
    """Whether its author wrote how an item becomes a document."""
    return _overrides(route, "document") or _overrides(route, "documents")


def _overrides(route: type[Route], method: str) -> bool:
    base = TableRoute if issubclass(route, TableRoute) else BucketRoute
    return getattr(route, method) is not getattr(base, method, None)
