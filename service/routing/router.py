"""The router finds the routes of a record. It caches the routes of each table and bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from ..errors import DeclarationError, DecodeError
from ..model import Change, ObjectRecord, TableRecord
from ..table_reads import Readable
from .declarations import check_clashes, check_declaration, class_name
from .document_ids import document_id, key_text, parts_of, plain_id, sub_parts_of
from .index_declarations import IndexDeclaration, declared_indices
from .index_names import is_index_of, name_in
from .logical_names import Names
from .patterns import compiled, is_plain, matches
from .pipeline_declarations import check_pipelines
from .placement import Location, Placement
from .routes import (
    METHODS,
    BucketRoute,
    CollectionRoute,
    Route,
    TableRoute,
    has_sort_prefix,
    implemented_events,
    is_composite,
    makes_sub_documents,
    places_by_index,
    places_by_routing,
    uses_documents,
    written_events,
)
from .write_cycles import check_cycles


@dataclass(frozen=True, eq=False)
class BoundRoute:
    """A route and all values derived from its declaration. It is created once, at startup.

    - `index` is the actual name of the index, or of the index pattern.
    - `pipeline` is the actual name of the ingest pipeline that the documents pass through, "" if there is none.
    - `computed` are the fields that a pipeline makes.
    - `placement` is None if all documents are in one index and have no routing value.
    - `alone` is True if `document()` makes a document from its item alone.
    - `splits` is True if `documents_of()` makes several documents of an item.
    - `skips` is True if the route declares `skip_unchanged`.
    - `plain_key` is the only key attribute if it alone forms the document id, else "".
    - `composite` is True if its documents are made of several items, so that no version of a record orders them.
    - `collection` is True if these are the items of a partition.
    - `once` is True if several records of a document need only one call of the route.
    - `readable` has the tables that the route reads, by their logical names.
    """

    route: Route
    name: str
    index: str
    pipeline: str
    computed: tuple[str, ...]
    item_table: str
    database: str
    implemented: frozenset[str]
    ignored: frozenset[str]
    batched: frozenset[str]
    alone: bool
    splits: bool
    skips: bool
    fetch: bool
    versioned: bool
    scoped: bool
    key: tuple[str, ...]
    plain_key: str
    composite: bool
    collection: bool
    once: bool
    readable: Mapping[str, Readable]
    reindexes: frozenset[type[Route]]
    placement: Placement | None = None

    def location(self, record: Change) -> Location:
        """Return the location of the record's document. Raises what `document_id` and `Placement.of` raise."""
        name = self.document_id(record)
        if self.placement is None:
            return Location(self.index, name)
        index, routing = self.placement.of(self._keys_of(record))
        return Location(index, name, routing)

    def _keys_of(self, record: Change) -> Mapping[str, Any]:
        """Return the key of the record's document, as `index_of` and `routing_of` get it."""
        if isinstance(record, ObjectRecord):
            return {"bucket": record.bucket, "key": record.key}
        if self.collection:  # all items of a collection have one document
            return dict(zip(self.key, self.collection_key(record.keys), strict=False))
        return record.keys

    def document_id(self, record: Change) -> str:
        """Return the id of the record's document. Raises DecodeError if its key is not the declared key."""
        if isinstance(record, ObjectRecord):
            return document_id([record.key], record.bucket if self.scoped else "")
        name = self.plain_key and plain_id(record.typed_keys, self.plain_key)
        return name or document_id(self._key_values(record), record.table if self.scoped else "")

    def sub_document_key(self, record: TableRecord) -> str:
        """Return the beginning of the ids of the record's sub-documents. Raises what `document_id` raises."""
        return key_text(self._key_values(record), record.table if self.scoped else "")

    def _key_values(self, record: TableRecord) -> list[Any]:
        keys = record.keys
        try:
            parts = self.collection_key(keys) if self.collection else [keys[attribute] for attribute in self.key]
        except KeyError:
            parts = []
        if not parts or not (len(parts) == len(keys) or self.collection):
            raise DecodeError(
                f"{self.name} declares the key {', '.join(self.key)} of table {record.table},"
                f" but the record has the key {', '.join(map(str, keys))}"
            )
        return parts

    def collection_key(self, keys: Mapping[str, Any]) -> list[Any]:
        """Return the partition key of an item's collection, and its sort prefix if it has one.

        Return [] if the item belongs to no collection. Raises what the route's `sort_prefix` raises.
        """
        assert isinstance(self.route, CollectionRoute)
        partition, sort = self.key
        prefix = self.route.sort_prefix(keys[sort]) if self.parted else ""
        return [] if prefix is None else [keys[partition], *([prefix] if prefix else [])]

    @property
    def parted(self) -> bool:
        """True if a partition has several collections, with a sort prefix each."""
        return isinstance(self.route, CollectionRoute) and has_sort_prefix(type(self.route))

    def typed_key(self, text: str) -> tuple[str, dict[str, Any]] | None:
        """Return the table name ("" if the id contains none) and the key of a document id, in DynamoDB JSON.

        Return None if the id does not belong to such a key. Raises DecodeError for a digest.
        """
        assert isinstance(self.route, TableRoute)
        names = self.key[:1] if self.collection and not self.parted else self.key
        read = sub_parts_of if self.splits else parts_of
        found = read(text, [self.route.key[name] for name in names], self.scoped)
        return None if found is None else (found[0], dict(zip(names, found[1], strict=True)))


RecordTest: TypeAlias = Callable[[Any], bool]
Candidate: TypeAlias = tuple[BoundRoute, RecordTest | None]


class Router:
    """The registered routes. Raises DeclarationError for invalid or conflicting routes and undeclared cycles."""

    def __init__(
        self,
        routes: Sequence[Route],
        names: Names | None = None,
        targets: Sequence[BoundRoute] | None = None,
    ):
        """`targets` are the routes that Reindex may name: by default the same ones. Without any, it is ignored."""
        self.names = names or Names()
        for route in routes:
            check_declaration(route)
            check_pipelines(route)
        check_clashes(routes)
        check_cycles(map(type, routes))
        self.bound: tuple[BoundRoute, ...] = tuple(self._bind(route) for route in routes)
        self.targets = self.bound if targets is None else tuple(targets)
        if self.targets:
            for bound in self.bound:
                _check_targets(bound, self.targets)
        self.indices = declared_indices(routes, self.names)
        self._candidates = cache(self._of)

    def candidates(self, record: Change) -> Sequence[Candidate]:
        """Return the routes of the record's table or bucket in registration order, each with its `record_test`."""
        if isinstance(record, TableRecord):
            return self._candidates("table", record.table)
        return self._candidates("bucket", record.bucket)

    def key_of(self, table: str) -> tuple[str, ...]:
        """Return the key attributes of a table as its routes declare them; () if it has no route."""
        return next((bound.key for bound, _ in self._candidates("table", table)), ())

    def declaration(self, index: str) -> IndexDeclaration | None:
        """Return the declaration of an index, or of an index pattern (actual names); None if no route has it."""
        if index in self.indices:
            return self.indices[index]
        return next((declared.of(index) for declared in self.indices.values() if declared.covers(index)), None)

    def owners(self, index: str) -> list[BoundRoute]:
        """Return the routes that write to an index, or to the indices of a pattern (actual names)."""
        return [
            bound
            for bound in self.bound
            if bound.index == index or ("*" in bound.index and is_index_of(bound.index, index))
        ]

    def index_named(self, name: str) -> str | None:
        """Return the actual name of an index, or index pattern, for the logical or actual name that a user typed.

        Return None if no route writes to it.
        """
        if self.owners(name):
            return name
        for bound in self.bound:
            if bound.route.index == name:
                return bound.index
            if "*" in bound.index and "*" not in name:
                actual, problem = name_in(bound.route.index, bound.index, name)
                if not problem:
                    return actual
        return None

    def _bind(self, route: Route) -> BoundRoute:
        kind = type(route)
        placement = self._placement(route)
        source = route.table if isinstance(route, TableRoute) else getattr(route, "bucket", "")
        scoped = not is_plain(source)
        key = tuple(route.key) if isinstance(route, TableRoute) else ()
        return BoundRoute(
            route=route,
            name=route_name(kind),
            index=self._index(route, placement),
            pipeline=self.names.actual("pipeline", route.pipeline) if route.pipeline else "",
            computed=tuple(route.computed),
            item_table=self.names.actual("table", route.writes["table"]) if "table" in route.writes else "",
            database=route.writes.get("database", ""),
            implemented=implemented_events(kind),
            ignored=frozenset(route.ignore),
            batched=frozenset(event for event in METHODS if uses_documents(kind, event)),
            alone=getattr(kind, "documents", None) in (TableRoute.documents, CollectionRoute.documents),
            splits=makes_sub_documents(kind),
            skips=isinstance(route, TableRoute) and route.skip_unchanged,
            fetch=route.fetch or route.versions is None or is_composite(kind),
            versioned=route.versions is not None,
            scoped=scoped,
            key=key,
            plain_key=key[0] if len(key) == 1 and not scoped else "",
            composite=is_composite(kind),
            collection=issubclass(kind, CollectionRoute),
            once=is_composite(kind) and not written_events(kind),
            readable=self._readable(route.reads),
            reindexes=frozenset(route.reindexes),
            placement=placement,
        )

    def _placement(self, route: Route) -> Placement | None:
        by_index, by_routing = places_by_index(type(route)), places_by_routing(type(route))
        if not (by_index or by_routing):
            return None
        pattern, into = self.names.index(route.index), self.names.into
        only = into if by_index and into is not None and is_index_of(pattern, into[0]) else None
        return Placement(route, route_name(type(route)), pattern, by_index, by_routing, only)

    def _index(self, route: Route, placement: Placement | None) -> str:
        if placement is not None and placement.only is not None:
            return placement.only[1]
        return self.names.index(route.index) if route.index else ""

    def _readable(self, reads: Iterable[str]) -> Mapping[str, Readable]:
        """Return what a route reads by logical table names. Each of `reads` is "table" or "table/index"."""
        by_table: dict[str, list[str]] = {}
        for one in reads:
            table, _, index = one.partition("/")
            by_table.setdefault(table, []).append(index)
        return {
            table: Readable(self.names.actual("table", table), "" in indexes, frozenset(indexes) - {""})
            for table, indexes in by_table.items()
        }

    @property
    def readable(self) -> dict[str, Readable]:
        """The tables that the routes read with `context.tables`, by their actual names."""
        found: dict[str, Readable] = {}
        for bound in self.bound:
            for one in bound.readable.values():
                other = found.get(one.actual, one)
                indexes = one.indexes | other.indexes
                found[one.actual] = Readable(one.actual, one.itself or other.itself, indexes)
        return found

    def listening_to(self, kind: str, actual: str) -> list[BoundRoute]:
        """Return the routes of a table or bucket by its actual name, in registration order.

        `kind` is "table" or "bucket".
        """
        logical = self.names.logical(kind, actual)
        if logical is None:
            return []
        return [bound for bound in self.bound if matches(getattr(bound.route, kind, ""), logical)]

    def _of(self, kind: str, actual: str) -> Sequence[Candidate]:
        return [(bound, record_test(bound.route)) for bound in self.listening_to(kind, actual)]


def _check_targets(bound: BoundRoute, targets: Sequence[BoundRoute]) -> None:
    """Raise DeclarationError unless all routes in `reindexes` are registered."""
    for kind in bound.reindexes - {type(target.route) for target in targets}:
        name = route_name(kind)
        raise DeclarationError(
            f"{bound.name} reindexes {class_name(kind)}, which is not among the selected routes. Add '{name}' to"
            f" ROUTES. If FUNC is set, add {name.partition(':')[0]} to it."
        )


def route_name(kind: type[Route]) -> str:
    """Return `module:Class` without the package, as in ROUTES."""
    return f"{kind.__module__.rpartition('.')[2]}:{kind.__qualname__}"


def record_test(route: Route) -> RecordTest | None:
    """Return the test that remains after table or bucket have matched, or None.

    The test can raise any error, because it may call the route's `wants`.
    """
    if isinstance(route, TableRoute):
        tests: list[RecordTest] = [where_test(name, pattern) for name, pattern in route.where.items()]
        if type(route).wants is not TableRoute.wants:
            tests.append(route.wants)
        if isinstance(route, CollectionRoute) and has_sort_prefix(type(route)):
            tests.append(_collection_test(route))
    else:
        assert isinstance(route, BucketRoute)
        tests = [affix_test(route.prefix, route.suffix)] if route.prefix or route.suffix else []
        if type(route).wants is not BucketRoute.wants:
            tests.append(route.wants)
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda record: all(test(record) for test in tests)


def where_test(attribute: str, pattern: str) -> Callable[[TableRecord], bool]:
    """Return a test of a key attribute. Numbers are matched as DynamoDB writes them."""
    expression = compiled(pattern)

    def fits(record: TableRecord) -> bool:
        typed = record.typed_keys.get(attribute)
        if not isinstance(typed, dict):
            return False
        value = typed.get("S", typed.get("N"))
        return isinstance(value, str) and expression.fullmatch(value) is not None

    return fits


def _collection_test(route: CollectionRoute) -> RecordTest:
    """Return the test that an item belongs to a collection of the route."""
    _, sort = route.key
    return lambda record: route.sort_prefix(record.keys[sort]) is not None


def has_place(route: Route, record: TableRecord) -> bool:
    """True if the record's key matches the route's `where`."""
    patterns = route.where if isinstance(route, TableRoute) else {}
    return all(where_test(attribute, pattern)(record) for attribute, pattern in patterns.items())


def affix_test(prefix: str, suffix: str) -> Callable[[ObjectRecord], bool]:
    """Return a test of the object's key."""
    return lambda upload: upload.key.startswith(prefix) and upload.key.endswith(suffix)
