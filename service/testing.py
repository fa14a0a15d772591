"""Helpers for the tests of your routes: build records, and get the actions that a route returns.

    from service.testing import insert, modify, remove, run, upload

    assert run(Images(), insert({"id": "sunset", "title": "Sunset"})) == [Index({"title": "Sunset"})]

Items are converted to DynamoDB JSON and back, as in production: a float stays a float, and a set becomes a sorted
list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

from .context import Context
from .errors import DeclarationError, Reject
from .model import CREATED, INSERT, MODIFY, REMOVE, ObjectRecord, TableRecord
from .model.events import OBJECT_FAMILIES, object_event
from .model.serializer import typed
from .pipeline import Result, Write
from .pipeline.composite import requests_of
from .pipeline.document_json import dump
from .pipeline.route_calls import actions_of, reindexes_in, writes_of
from .pipeline.sub_documents import documents_of, sub_writes
from .pipeline.unchanged import is_unchanged
from .routing import (
    Action,
    BoundRoute,
    BucketRoute,
    Delete,
    DeleteItem,
    Document,
    Index,
    InsertRows,
    Location,
    PutItem,
    Reindex,
    Route,
    Router,
    TableRoute,
    UpdateItem,
)
from .routing.computed_fields import check_document
from .settings import Settings
from .sinks.dynamodb import typed_item
from .sinks.opensearch.bulk_body import serialise
from .sources.current_state import Lookups
from .table_reads import Tables
from .tables_in_memory import TablesInMemory

ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Change:
    """A change of an item or object. The route supplies the table or bucket."""

    event: str
    new: Any = None
    old: Any = None
    key: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def insert(new: Mapping[str, Any]) -> Change:
    """Return the change of a new item."""
    return Change(INSERT, new=new)


def modify(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    """Return the change of a modified item."""
    return Change(MODIFY, old=old, new=new)


def remove(old: Mapping[str, Any]) -> Change:
    """Return the change of a deleted item."""
    return Change(REMOVE, old=old)


def upload(key: str, event: str = CREATED, **details: Any) -> Change:
    """Return the change of a created or, with event="ObjectDeleted", a deleted object.

    `details` are size, eTag, versionId and sequencer. Raises ValueError for other events and details.
    """
    if object_event(event) not in OBJECT_FAMILIES:
        raise ValueError(f"{event!r} is not a bucket event. Valid events: {', '.join(sorted(OBJECT_FAMILIES))}")
    unknown = set(details) - {"size", "eTag", "versionId", "sequencer"}
    if unknown:
        raise ValueError(
            f"upload() does not support {', '.join(sorted(unknown))}. Use size, eTag, versionId or sequencer."
        )
    return Change(event, key=key, details=details)


def run(
    route: Route,
    change: Change,
    context: Context | None = None,
    *,
    tables: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
) -> list[Action]:
    """Return the actions of the route, checked as in production; [] if it does not match or skips the change.

    `tables` has the items of the tables that the route reads, by the names in `reads`, and for a CollectionRoute
    the other items of its own table. The change is added to them. Without `tables`, they are empty, or read with
    the DynamoDB client of the context if you pass one. Secondary indexes have all attributes of the items.

    `context` is passed to the route: `Context(s3=…)` with your own client, moto's or a fake. The rows of
    InsertRows and the keys of Reindex are read into lists.

    Raises Reject if the record would become a dead letter, Halt if the route reads what it does not declare,
    ValueError for a change that the route cannot get, and every error of the route. Raises DeclarationError for an
    invalid route, for a document with a field that the route declares as `computed`, and for a document of
    several items that is not the same if it is made twice.
    """
    router = Router([route], targets=())
    record = record_of(route, change)
    for bound, test in router.candidates(record):
        if test is not None and not test(record):
            continue
        if bound.splits:
            raise ValueError(f"{type(route).__name__} has documents_of(): use sub_documents()")
        if record.event in bound.implemented:
            store = None if context and tables is None else _tables_with(route, record, tables or {})
            return _Run(bound, record, context or Context(), store).actions()
        if record.event not in bound.ignored:
            raise Reject(f"Unimplemented: eventName={record.event} (no method for it in {bound.name})")
    return []


def location(route: Route, change: Change) -> Location:
    """Return the index, id and routing value of the document of a change, as `index_of` and `routing_of` say.

    Names are logical. Raises Reject if `index_of` or `routing_of` returns what cannot be used, and what `run`
    raises for an invalid route or change.
    """
    (bound,) = Router([route], targets=()).bound
    return bound.location(record_of(route, change))


def sub_documents(route: TableRoute, change: Change) -> dict[str, Document | None]:
    """Return the documents that a route with `documents_of` writes, by their sub-ids; None for a deleted one.

    Raises what `run` raises.
    """
    record = record_of(route, change)
    assert isinstance(record, TableRecord)
    for bound, test in Router([route], targets=()).candidates(record):
        if not bound.splits:
            raise ValueError(f"{type(route).__name__} has no documents_of(): use run()")
        if test is not None and not test(record):
            continue
        for write in sub_writes(bound, record, ()):
            _check_write(write, Settings())
        old, new = (documents_of(bound, image) if image else {} for image in (record.old, record.new))
        for document in new.values():
            check_document(bound, document)
        same = {name for name in new if bound.skips and name in old and dump(new[name]) == dump(old[name])}
        return {name: document for name, document in {**dict.fromkeys(old), **new}.items() if name not in same}
    return {}


def _tables_with(
    route: Route, record: TableRecord | ObjectRecord, tables: Mapping[str, Iterable[Mapping[str, Any]]]
) -> TablesInMemory:
    """Return the tables after the change of a record."""
    items = {name: list(of_table) for name, of_table in tables.items()}
    sort_keys: dict[str, str] = {}
    if isinstance(route, TableRoute) and isinstance(record, TableRecord):
        others = [item for item in items.get(record.table, []) if not record.keys.items() <= item.items()]
        items[record.table] = others if record.new is None else [*others, record.new]
        sort_keys[record.table] = "".join(list(route.key)[1:])
    return TablesInMemory(items, sort_keys)


@dataclass(frozen=True)
class _Run:
    """One record on its way through a route. Without `store`, tables are read with the client of the context."""

    bound: BoundRoute
    record: TableRecord | ObjectRecord
    context: Context
    store: TablesInMemory | None

    def actions(self) -> list[Action]:
        bound, current = self.bound, self._current()
        if current.event not in bound.implemented:
            return []
        actions = self._call(current)
        writes = self._checked(current, actions)
        if actions and is_unchanged(bound, current, actions[0]):
            return []
        if bound.composite:
            self._check_same(writes, self._checked(current, self._call(current)))
        if current is not self.record and self.record.event not in bound.batched:
            more = reindexes_in(self._call(self.record))
            self._checked(self.record, more)
            actions += [action for action in more if action not in actions]
        return actions

    def _current(self) -> TableRecord | ObjectRecord:
        """Return the record as the route gets it: documents of several items are made of the current state."""
        record = self.record
        if not self.bound.composite or not isinstance(record, TableRecord):
            return record
        if self.bound.collection:
            reading = Context(self.context.settings, dynamodb=self._client())
            return record.as_collection(Lookups(reading).collection(record, self.bound), record.version)
        return record.as_now(record.raw["dynamodb"].get("NewImage"), record.version)

    def _call(self, record: TableRecord | ObjectRecord) -> list[Action]:
        bound = self.bound
        context = self.context.with_tables(Tables(self._client, bound.name, bound.readable))
        return [_read(action) for action in actions_of(bound, record, context)]

    def _client(self) -> Any:
        return self.store or self.context.dynamodb

    def _checked(self, record: TableRecord | ObjectRecord, actions: Sequence[Action]) -> Sequence[Write]:
        """Return the writes of actions. Raises the errors for which the record would become a dead letter."""
        writes = writes_of(self.bound, record, actions)
        for write in writes:
            _check_write(write, self.context.settings)
            if isinstance(write.action, Index):
                check_document(self.bound, write.action.document)
        targets = Router([kind() for kind in self.bound.reindexes])
        for action in actions:
            if isinstance(action, Reindex):
                list(requests_of(action, record, targets))
        return writes

    def _check_same(self, writes: Sequence[Write], again: Sequence[Write]) -> None:
        """Raise DeclarationError unless two calls of the route returned the same documents."""
        for one, other in zip_longest(map(_fields, writes), map(_fields, again)):
            if one != other:
                names = sorted({name for name, _ in (one or {}).items() ^ (other or {}).items()})
                raise DeclarationError(
                    f"{self.bound.name} made two documents of the same items that differ in {', '.join(names)}. A"
                    " document of several items is made more than once. Let it depend on nothing but what the"
                    " route reads, not on a clock or a random number."
                )


def _fields(write: Write) -> dict[str, bytes] | None:
    """Return the fields of the document of a write as JSON; None if it has no document."""
    action = write.action
    return {name: dump(value) for name, value in action.document.items()} if isinstance(action, Index) else None


def _check_write(write: Write, settings: Settings) -> None:
    """Raise Reject for a document or an item that cannot be sent."""
    action = write.action
    results: dict[int, Result] = {}
    if isinstance(action, Index | Delete):
        list(serialise([write], {write.target: {"_index": write.target}}, results, settings.document_bytes))
        for result in results.values():
            raise Reject(result.reason)
    elif isinstance(action, DeleteItem):
        typed_item(action.key)
    elif isinstance(action, PutItem | UpdateItem):
        typed_item(action.item)


def _read(action: Action) -> Action:
    """Return the action with its generators read."""
    if isinstance(action, InsertRows):
        return replace(action, rows=list(action.rows))
    return replace(action, keys=list(action.keys)) if isinstance(action, Reindex) else action


def record_of(route: Route, change: Change) -> TableRecord | ObjectRecord:
    """Return the record of a change in the route's table or bucket. Raises ValueError if the route takes none."""
    name = type(route).__name__
    if isinstance(route, TableRoute):
        if change.key:
            raise ValueError(f"{name} is a TableRoute: use insert(), modify() or remove()")
        return _table_record(route, change)
    assert isinstance(route, BucketRoute)
    if not change.key:
        raise ValueError(f"{name} is a BucketRoute: use upload()")
    return ObjectRecord(
        {},
        name=change.event,
        bucket=route.bucket.replace("*", "x"),
        key=change.key,
        details=change.details,
    )


def _keys_of(route: TableRoute, item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item's key in DynamoDB JSON. Raises ValueError if it does not match the declared key."""
    name = type(route).__name__
    missing = [attribute for attribute in route.key if attribute not in item]
    if missing:
        raise ValueError(f"{name}.key is {dict(route.key)}: the item has no {', '.join(missing)}")
    keys = typed({attribute: item[attribute] for attribute in route.key})
    for attribute, kind in route.key.items():
        if kind not in keys[attribute]:
            raise ValueError(f"{name}.key is {dict(route.key)}: the item's {attribute} is {keys[attribute]}")
    return keys


def _table_record(route: TableRoute, change: Change) -> TableRecord:
    images = {"NewImage": change.new, "OldImage": change.old}
    keys = [_keys_of(route, image) for image in images.values() if image is not None]
    if any(key != keys[0] for key in keys):
        raise ValueError(f"the key of an item cannot change from {keys[0]} to {keys[-1]}")
    table = route.table.replace("*", "x")
    return TableRecord(
        {
            "eventName": change.event,
            "eventSourceARN": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{table}/stream/test",
            "dynamodb": {
                "Keys": keys[0],
                **{name: typed(image) for name, image in images.items() if image is not None},
            },
        }
    )
