"""Helpers for the tests of your routes: build records, and get the actions that a route returns.

    from service.testing import insert, modify, remove, run, upload

    assert run(Images(), insert({"id": "sunset", "title": "Sunset"})) == [Index({"title": "Sunset"})]

Items are converted to DynamoDB JSON and back, as in production: a float stays a float, and a set becomes a sorted
list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .context import Context
from .errors import Reject
from .model import CREATED, INSERT, MODIFY, REMOVE, ObjectRecord, TableRecord
from .model.events import OBJECT_FAMILIES, object_event
from .model.serializer import typed
from .routing import Action, BucketRoute, Index, InsertRows, Route, Router, TableRoute
from .routing.computed_fields import check_document

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


def run(route: Route, change: Change, context: Context | None = None) -> list[Action]:
    """Return the actions of the route, checked as in production; [] if it does not match or skips the change.

    The rows of InsertRows are read into a list. `context` is passed to the route: `Context(s3=…)` with your own
    client, moto's or a fake. Raises Reject if the record would become a dead letter, DeclarationError for an
    invalid route or for a document with a field that the route declares as `computed`, ValueError for a change
    that the route cannot get, and every error of the route.
    """
    from .pipeline.route_calls import actions_of, writes_of
    from .pipeline.unchanged import is_unchanged

    router = Router([route], targets=())
    record = record_of(route, change)
    for bound, test in router.candidates(record):
        if test is not None and not test(record):
            continue
        if record.event in bound.implemented:
            actions = actions_of(bound, record, context or Context())
            for write in writes_of(bound, record, actions):
                if isinstance(write.action, Index):
                    check_document(bound, write.action.document)
            if actions and is_unchanged(bound, record, actions[0]):
                return []
            return [_read(action) for action in actions]
        if record.event not in bound.ignored:
            raise Reject(f"Unimplemented: eventName={record.event} (no method for it in {bound.name})")
    return []


def _read(action: Action) -> Action:
    return replace(action, rows=list(action.rows)) if isinstance(action, InsertRows) else action


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
