"""The base classes of the users' routes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ..model import CREATED, DELETED, INSERT, MODIFY, REMOVE, Item, ObjectRecord, TableRecord
from ..model.actions import Action, Delete, Document, Index

if TYPE_CHECKING:
    from ..context import Context


class Route:
    """The common base class of table routes and bucket routes."""

    index: ClassVar[str] = ""
    """The index of the route's documents (logical name), or a pattern with one `*` for `index_of`."""

    mapping: ClassVar[Mapping[str, Any]] = {}
    """The mappings of the index, used when the service creates it. Mappings of several routes are merged."""

    index_settings: ClassVar[Mapping[str, Any]] = {}
    """The settings of the index, such as {"number_of_shards": 3, "analysis": {...}}; merged in the same way."""

    aliases: ClassVar[Collection[str]] = ()
    """Aliases of the index (logical names)."""

    pipeline: ClassVar[str] = ""
    """The ingest pipeline that the route's documents pass through (logical name)."""

    pipelines: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Ingest pipelines by name: {"embed": {"processors": [...]}}. The service creates them before the index."""

    search_pipelines: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Search pipelines by name: {"hybrid": {"phase_results_processors": [...]}}; created in the same way."""

    computed: ClassVar[Collection[str]] = ()
    """Fields that an ingest pipeline makes (dotted paths). Comparisons with the table leave them out."""

    writes: ClassVar[Mapping[str, str]] = {}
    """Another target of the route: {"table": name} for items (logical name), or {"database": "sql"} for rows."""

    cycle: ClassVar[bool] = False
    """True if the route's writes may change a table that it reads, directly or through other routes.

    Such a route must return no action once nothing is left to change, because each write produces a new record.
    """

    fetch: ClassVar[bool] = False
    """True if the current state is re-read for every record and written instead of the record's image."""

    versions: ClassVar[str | None] = "external"
    """"external", or None for an index without external versions: then every record is re-read."""

    ignore: ClassVar[Collection[str]] = ()
    """Events that the route skips on purpose."""

    reads: ClassVar[Collection[str]] = ()
    """Tables ("customers") and secondary indexes ("shop/by-customer") that the route reads with `context.tables`.

    The document of a table route that has `reads` is made of several items. So the current state is read for every
    record, and again after every write.
    """

    reindexes: ClassVar[Collection[type[TableRoute]]] = ()
    """The routes for whose documents this route returns Reindex. Each has `reads` or is a CollectionRoute."""

    def index_of(self, keys: Mapping[str, Any]) -> str:
        """Return the index of a document (logical name). It must match the pattern in `index`.

        `keys` is the key of the item, or the bucket and the key of the object. For a collection it is the
        partition key and, with `sort_prefix`, the prefix instead of the sort key. The answer must depend on
        nothing else, so that a deletion finds the document.
        """
        raise NotImplementedError(f"{type(self).__name__} has no index_of()")

    def routing_of(self, keys: Mapping[str, Any]) -> str:
        """Return the routing value of a document, which selects its shard. `keys` is as in `index_of`."""
        raise NotImplementedError(f"{type(self).__name__} has no routing_of()")


class TableRoute(Route):
    """A route that keeps an index in sync with one kind of item of a DynamoDB table.

    Declare `table`, `key` and `index`, and implement `document`. For more control, override `insert`, `modify` or
    `remove`: each takes the record and the context and returns actions. They write nothing themselves.
    """

    table: ClassVar[str] = ""
    """The table (logical name). `*` matches any text. Document ids then contain the table's name."""

    key: ClassVar[Mapping[str, str]] = {}
    """The table's key attributes and their types, partition key first: {"PK": "S", "SK": "N"}."""

    skip_unchanged: ClassVar[bool] = False
    """True if a change is not written whose old and new image have the same document.

    The document, and the answer of `wants`, must depend on the item alone.
    """

    where: ClassVar[Mapping[str, str]] = {}
    """Patterns of key attributes that select this kind of item: {"PK": "USER#*"}. The only wildcard is `*`."""

    def wants(self, record: TableRecord) -> bool:
        """True if the route takes the record. It is called after table and `where` have matched."""
        return True

    # `Any`, because a CollectionRoute takes all items of a collection where other routes take one item.
    def document(self, item: Any) -> Document | None:
        """Return the document of an item; None if the item must not be in the index."""
        raise NotImplementedError(f"{type(self).__name__} has no document()")

    def documents(self, items: Sequence[Any], context: Context) -> Sequence[Document | None]:
        """Return the documents of several items in their order. Override it to look up data for all at once."""
        return [self.document(item) for item in items]

    def documents_of(self, item: Item) -> Mapping[str, Document]:
        """Return several documents of one item by their sub-ids. Implement it instead of `document`.

        A document that an item no longer has is deleted. The result must depend on the item alone.
        """
        raise NotImplementedError(f"{type(self).__name__} has no documents_of()")

    def insert(self, record: TableRecord, context: Context) -> Iterable[Action]:
        """Handle a new item: index its document."""
        return [self._searchable(record, context)]

    def modify(self, record: TableRecord, context: Context) -> Iterable[Action]:
        """Handle a changed item: index its new document."""
        return [self._searchable(record, context)]

    def remove(self, record: TableRecord, context: Context) -> Iterable[Action]:
        """Handle a deleted item: delete its document."""
        return [Delete()]

    def _searchable(self, record: TableRecord, context: Context) -> Action:
        (document,) = self.documents([record.new or {}], context)
        return Delete() if document is None else Index(document)


class CollectionRoute(TableRoute):
    """A route that makes one document of an item collection: all items of a partition, or of a part of it.

    Declare `table`, `key` and `index`, and implement `document`, which gets the items in the order of their sort
    keys. Any change of one of them makes the document again. `where` selects partitions.

    The document's id is that of the partition key or, with `sort_prefix`, of the partition key and the prefix.
    """

    def sort_prefix(self, sort: str) -> str | None:
        """Return the beginning that the sort keys of one collection share; "" if the partition is one collection.

        For "ORDER#7#LINE#1" return "ORDER#7". Return None for an item that belongs to no collection. The result
        must depend on the sort key alone.
        """
        return ""

    def document(self, items: Sequence[Item]) -> Document | None:
        """Return the document of a collection; None if it must not be in the index. `items` is never empty."""
        raise NotImplementedError(f"{type(self).__name__} has no document()")

    def documents(self, collections: Sequence[Sequence[Item]], context: Context) -> Sequence[Document | None]:
        """Return the documents of several collections. Override it to look up data for all of them at once."""
        return [self.document(items) for items in collections]


class BucketRoute(Route):
    """A route for one kind of S3 object. Implement `created`, `deleted` or both: they return actions."""

    bucket: ClassVar[str] = ""
    """The bucket (logical name). `*` matches any text. Document ids then contain the bucket's name."""

    queue: ClassVar[str] = ""
    """The queue that `make run` and `make shim` create for the bucket's events (logical name).

    Routes that name no queue share one.
    """

    prefix: ClassVar[str] = ""
    suffix: ClassVar[str] = ""

    def wants(self, upload: ObjectRecord) -> bool:
        """True if the route takes the object. It is called after bucket, prefix and suffix have matched."""
        return True

    def created(self, upload: ObjectRecord, context: Context) -> Iterable[Action]:
        """Handle an object that was created or overwritten."""
        raise NotImplementedError(f"{type(self).__name__} has no created()")

    def deleted(self, upload: ObjectRecord, context: Context) -> Iterable[Action]:
        """Handle a deleted object."""
        raise NotImplementedError(f"{type(self).__name__} has no deleted()")


METHODS: Mapping[str, str] = {
    INSERT: "insert",
    MODIFY: "modify",
    REMOVE: "remove",
    CREATED: "created",
    DELETED: "deleted",
}
"""The route method for each event."""


def implemented_events(route: type[Route]) -> frozenset[str]:
    """Return the events that a route class can handle.

    An inherited method does not count if the route ignores its event.
    """
    inherited = {event for event, method in METHODS.items() if _works(route, method)} - set(route.ignore)
    return frozenset(inherited | written_events(route))


def written_events(route: type[Route]) -> frozenset[str]:
    """Return the events whose methods the class overrides."""
    return frozenset(
        event for event, method in METHODS.items() if hasattr(route, method) and _overrides(route, method)
    )


def does_something(route: type[Route]) -> bool:
    """True if the class implements any method that produces actions."""
    return bool(written_events(route)) or (issubclass(route, TableRoute) and has_document(route))


def uses_documents(route: type[Route], event: str) -> bool:
    """True if the event uses the inherited method, so that one call of `documents` can serve several records."""
    if not issubclass(route, TableRoute) or event not in (INSERT, MODIFY):
        return False
    return event in implemented_events(route) and not _overrides(route, METHODS[event])


def is_composite(route: type[Route]) -> bool:
    """True if the route's documents are made of several items: it reads other tables, or is a CollectionRoute."""
    return issubclass(route, CollectionRoute) or (
        issubclass(route, TableRoute) and bool(route.reads and route.index)
    )


def has_sort_prefix(route: type[CollectionRoute]) -> bool:
    """True if the class divides a partition into several collections."""
    return route.sort_prefix is not CollectionRoute.sort_prefix


def _works(route: type[Route], method: str) -> bool:
    if not hasattr(route, method):
        return False
    if _overrides(route, method):
        return True
    if issubclass(route, TableRoute):
        return bool(route.index) if method == "remove" else has_document(route)
    return False


def places_by_index(route: type[Route]) -> bool:
    """True if the class implements `index_of`."""
    return route.index_of is not Route.index_of


def places_by_routing(route: type[Route]) -> bool:
    """True if the class implements `routing_of`."""
    return route.routing_of is not Route.routing_of


def has_document(route: type[Route]) -> bool:
    """True if the class implements `document`, `documents` or `documents_of`."""
    return _overrides(route, "document") or _overrides(route, "documents") or makes_sub_documents(route)


def makes_sub_documents(route: type[Route]) -> bool:
    """True if the class implements `documents_of`."""
    return issubclass(route, TableRoute) and route.documents_of is not TableRoute.documents_of


def _overrides(route: type[Route], method: str) -> bool:
    base = next(kind for kind in (CollectionRoute, TableRoute, BucketRoute) if issubclass(route, kind))
    return getattr(route, method) is not getattr(base, method, None)
