"""What the tests of your routes need: records as they would come, and what a route asks for.

    from service.testing import insert, modify, remove, run, upload

    assert run(Images(), insert({"id": "sunset", "title": "Sunset"})) == [Index({"title": "Sunset"})]

The items go through DynamoDB's types and back, as in production: a float comes back as a float, a set as a
sorted list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .context import Context
from .dispatch.planning import actions_of
from .records import CREATED, INSERT, MODIFY, REMOVE, ObjectRecord, TableRecord
from .records.serializer import typed
from .routing import Action, BoundRoute, BucketRoute, Route, Router, TableRoute

ACCOUNT = "000000000000"


class Change:
    """What happened to an item or an object, before it is known in which table or bucket."""

    def __init__(self, event: str, *, new: Any = None, old: Any = None, key: str = "", **details: Any):
        self.event = event
        self.new = new
        self.old = old
        self.key = key
        self.details = details


def insert(new: Mapping[str, Any]) -> Change:
    """A new item."""
    return Change(INSERT, new=new)


def modify(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    """An item that has changed."""
    return Change(MODIFY, old=old, new=new)


def remove(old: Mapping[str, Any]) -> Change:
    """An item that is gone."""
    return Change(REMOVE, old=old)


def upload(key: str, event: str = CREATED, **details: Any) -> Change:
    """An object that was put, or with event="ObjectDeleted" removed. `details`: size, eTag, sequencer, …"""
    return Change(event, key=key, **details)


def run(route: Route, change: Change, context: Context | None = None) -> list[Action]:
    """What the route asks for; [] where it has no method for the change, or does not want it.

    `context` is the world that the route sees: `Context(s3=…)` with your own client, moto's or a fake. Raises
    whatever the route raises, and DeclarationError for a route that is wrongly declared.
    """
    router = Router([route])
    record = record_of(route, change)
    for bound, test in router.candidates(record):
        if _takes(bound, record.event) and (test is None or test(record)):
            return actions_of(bound, record, context or Context())
    return []


def record_of(route: Route, change: Change) -> TableRecord | ObjectRecord:
    """The record that the route's table or bucket would give."""
    if isinstance(route, TableRoute):
        return _table_record(route, change)
    assert isinstance(route, BucketRoute)
    return ObjectRecord(
        {},
        name=change.event,
        bucket=route.bucket.replace("*", "x"),
        key=change.key,
        details=change.details,
    )


def _takes(bound: BoundRoute, event: str) -> bool:
    return event in bound.implemented


def _table_record(route: TableRoute, change: Change) -> TableRecord:
    item = change.new or change.old or {}
    images = {"NewImage": change.new, "OldImage": change.old}
    table = route.table.replace("*", "x")
    return TableRecord(
        {
            "eventName": change.event,
            "eventSourceARN": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{table}/stream/test",
            "dynamodb": {
                "Keys": typed({name: item[name] for name in route.key if name in item}),
                **{name: typed(image) for name, image in images.items() if image is not None},
            },
        }
    )
