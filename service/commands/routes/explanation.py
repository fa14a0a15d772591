"""Explain how a record is routed: the routes that handle it, and the actions they return. Nothing is written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ...context import Context
from ...errors import DecodeError, Halt
from ...model import REMOVE, Change, ObjectRecord, Record, TableRecord, Undecodable
from ...model.outcomes import worst
from ...model.versions import EPOCH, NO_VERSION, second_of
from ...pipeline import SILENT, Outcome, Result, Task, Write
from ...pipeline.document_json import dump
from ...pipeline.error_outcomes import result_of
from ...pipeline.matching import match, source_of
from ...pipeline.rereads import Rereads
from ...pipeline.route_calls import call_routes
from ...pipeline.sub_documents import names_of
from ...routing import (
    BoundRoute,
    CollectionRoute,
    DeleteItem,
    Index,
    InsertRows,
    PutItem,
    Router,
    TableRoute,
    UpdateItem,
)
from ...routing.patterns import matches
from ...routing.router import affix_test, where_test
from ..inspection import Named, named_by


@dataclass(frozen=True)
class Step:
    """The handling of a record by one route: the `reason` why it does not handle it, or its `actions`.

    `hint` is the reason for a re-read, "" if the record is trusted. An action has its name, its target and the
    document, item or key, and the routing value of a document.
    """

    route: str
    takes: bool
    reason: str = ""
    hint: str = ""
    id: str = ""
    version: int | None = None
    actions: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Explanation:
    """A description of a record (`about`) and its routing. `result` is None if the record would be written."""

    about: Mapping[str, Any]
    steps: tuple[Step, ...]
    result: Result | None

    @property
    def arrives(self) -> bool:
        """True if a route handles the record and none rejects it."""
        return self.result is None or (self.result.outcome is not Outcome.REJECTED and not self.result.unrouted)


def explain(record: Record, router: Router, rereads: Rereads, context: Context) -> Explanation:
    """Call the routes with the record as it is, and write nothing.

    Only a document of several items is made of their current state.
    """
    tasks, about = match([record], router), _about(record)
    if isinstance(record, Undecodable):
        return Explanation(about, (), tasks[0].result)
    record.drop_times_after(rereads.now() + context.settings.clock_skew)
    by_route = {task.bound: task for task in tasks if task.bound is not None}
    steps = tuple(
        _taken(by_route[bound], bound, record, rereads, context, router)
        if bound in by_route and not by_route[bound].results
        else Step(bound.name, False, _refusal(by_route.get(bound), bound, record, router))
        for bound in router.bound
    )
    results = [result for task in tasks for result in task.results]
    return Explanation(about, steps, worst(results) if results else None)


def version_in_words(version: int | None, record: Record) -> str:
    """Return a version and its parts as a text."""
    if version is None:
        return "none: the index has no versions"
    if version == NO_VERSION:
        return "0: the record has no usable time or sequencer"
    if isinstance(record, ObjectRecord):
        return f"{version}: from the sequencer {record.sequencer}"
    seconds, low = second_of(version), version & 0xFFFF_FFFF
    return f"{version}: {seconds} s since 2012 ({_time(EPOCH + seconds)}), then {low}"


def _taken(
    task: Task, bound: BoundRoute, record: Change, rereads: Rereads, context: Context, router: Router
) -> Step:
    hint = rereads.why(record, bound)
    name = _id(bound, record)
    version = record.version if bound.versioned else None
    unread = isinstance(record, TableRecord) and record.event in bound.batched and not record.has_new
    if unread and not bound.composite:
        return Step(bound.name, True, "its document is built from the re-read item", hint, name, version)
    if isinstance(record, TableRecord) and bound.splits and record.event == REMOVE and not record.has_old:
        found = "the documents of its item that the index has are deleted"
        return Step(bound.name, True, found, hint, name, version)
    if hint and bound.skips and isinstance(record, TableRecord) and record.event in bound.batched:
        # A re-read item has no old image, so it is not skipped.
        if bound.splits:
            with suppress(DecodeError):  # the call of the route reports it
                task.named = names_of(bound, record, current=True)[0]
        task.seen = record.as_now(record.raw["dynamodb"]["NewImage"], record.version)
    try:
        if bound.composite:
            rereads.reread_before_write([task])
        call_routes([task], context, SILENT.step)
        named = [] if task.results else _named(task, bound, record, context, router)
    except Halt as halt:
        unseen = f"its actions are unknown, because a request fails: {halt}"
        return Step(bound.name, True, unseen, hint, name, version)
    if task.results:
        return Step(bound.name, True, f"{task.result.outcome.name}: {task.result.reason}", hint, name, version)
    actions = [_action(write, router) for write in task.writes]
    if bound.splits:
        actions = [{**action, "id": write.id} for action, write in zip(actions, task.writes, strict=True)]
    return Step(bound.name, True, "", hint, name, version, (*actions, *map(_reindex, named)))


def _named(task: Task, bound: BoundRoute, record: Change, context: Context, router: Router) -> Sequence[Named]:
    """Return the documents that the task names in Reindex. An error is the task's result. Raises Halt."""
    try:
        return named_by(task, bound, record, context, router)
    except Exception as error:
        task.results = [result_of(error, f"{bound.name} Reindex for {source_of(record)}")]
        return ()


def _reindex(named: Named) -> dict[str, Any]:
    return {
        "action": "Reindex",
        "target": named.route,
        "documents": named.documents,
        "more": named.more,
        "keys": _plain(named.keys),
    }


def _id(bound: BoundRoute, record: Change) -> str:
    try:
        return bound.document_id(record) if bound.index else ""
    except DecodeError:  # the call of the route reports it
        return ""


def _action(write: Write, router: Router) -> dict[str, Any]:
    """Return an action for the output. `read_by` are the routes that get this write to a table as a record."""
    action = write.action
    described: dict[str, Any] = {"action": write.kind, "target": write.target}
    if write.routing is not None:
        described["routing"] = write.routing
    if isinstance(action, Index):
        described["document"] = _plain(action.document)
        if write.pipeline:
            described["pipeline"] = write.pipeline
    elif isinstance(action, DeleteItem):
        described["key"] = _plain(action.key)
    elif isinstance(action, InsertRows):
        described["statement"] = action.statement
    elif isinstance(action, PutItem | UpdateItem):
        described["item"] = _plain(action.item)
        if isinstance(action, UpdateItem):
            described["create"] = action.create
    readers = [bound.name for bound in router.listening_to("table", write.target)]
    if readers and isinstance(action, PutItem | UpdateItem | DeleteItem):
        described["read_by"] = readers
    return described


def _plain(value: Any) -> Any:
    """Return the value as it is written; the error as a text if it cannot be JSON."""
    try:
        return json.loads(dump(value))
    except (RecursionError, TypeError, ValueError) as error:
        return f"cannot be converted to JSON: {error}"


def _refusal(task: Task | None, bound: BoundRoute, record: Change, router: Router) -> str:
    """Return the first reason against the route."""
    if task is not None:  # the route raised in `wants`
        return task.result.reason
    return next(_misfits(bound, record, router))


def _misfits(bound: BoundRoute, record: Change, router: Router) -> Iterator[str]:
    kind = "table" if isinstance(bound.route, TableRoute) else "bucket"
    pattern = getattr(bound.route, kind)
    actual = getattr(record, kind, None)
    if actual is None:
        yield f"it listens to {kind} {pattern}"
        return
    logical = router.names.logical(kind, actual)
    if logical is None:
        yield f"the setting names maps {kind} {actual} to another {kind}"
    elif not matches(pattern, logical):
        yield f"{kind} {logical} does not match {pattern}"
    of: Any = bound.route
    if isinstance(record, TableRecord):
        yield from _misfits_of_key(of, record)
    elif not affix_test(of.prefix, of.suffix)(record):
        yield f"key {record.key} does not match {of.prefix}…{of.suffix}"
    if not of.wants(record):
        yield "wants() returns False"
    if record.event in bound.ignored:
        yield f"it ignores {record.event}"
    yield f"it has no method for {record.event}"


def _misfits_of_key(of: TableRoute, record: TableRecord) -> Iterator[str]:
    for attribute, pattern in of.where.items():
        if not where_test(attribute, pattern)(record):
            there = record.typed_keys.get(attribute)
            value = next(iter(there.values())) if isinstance(there, Mapping) and there else "no value"
            yield f"{attribute} = {value} does not match {pattern}"
    if isinstance(of, CollectionRoute):
        sort = list(of.key)[1]
        if of.sort_prefix(record.keys[sort]) is None:
            yield f"sort_prefix({record.keys[sort]!r}) returns None: the item belongs to no collection"


def _about(record: Record) -> dict[str, Any]:
    if isinstance(record, Undecodable):
        return {"undecodable": record.reason, "source": record.source, "identifier": record.identifier}
    created = None if record.created is None else _time(record.created)
    place: dict[str, Any]
    if isinstance(record, ObjectRecord):
        place = {"event": record.event, "bucket": record.bucket, "key": record.key, "sequencer": record.sequencer}
    else:
        number = record.sequence_number
        place = {"event": record.event, "table": record.table, "key": record.typed_keys, "sequence": number}
    return {**place, "created": created, "ordered": record.ordered}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
