"""Step 3: call the routes, and convert their actions to writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final, TypeAlias

from ..context import Context
from ..deadline import out_of_time
from ..errors import Reject
from ..model import Change, Item, Record, TableRecord, Undecodable
from ..model.actions import TableAction
from ..model.outcomes import BLOCKED, OUT_OF_TIME, Outcome, Result
from ..routing import (
    Action,
    BoundRoute,
    Delete,
    Document,
    Index,
    InsertRows,
    Reindex,
    TableRoute,
)
from ..routing.placement import Placement
from ..routing.routes import METHODS
from ..table_reads import Tables
from .delivery import Task, Write
from .document_json import indexing
from .error_outcomes import result_of
from .group_testing import parts_of_suspects
from .matching import key_of, source_of
from .sub_documents import call_documents_of
from .unchanged import drop_unchanged

ACTIONS: Final = "Index, Delete, PutItem, UpdateItem, DeleteItem, InsertRows or Reindex"

SEARCHES: Final = (Index, Delete)
"""The actions of a search index."""

DELETE: Final = Delete()

Gathered: TypeAlias = tuple[Task, TableRecord]
Step: TypeAlias = Callable[[str, str, Sequence[Task]], AbstractContextManager[None]]


def call_routes(tasks: Sequence[Task], context: Context, step: Step) -> None:
    """Call the routes of the tasks. Each task then has writes or a result. Raises Halt."""
    by_route: dict[BoundRoute, list[Task]] = {}
    for task in tasks:
        if task.bound is not None and not task.results:
            by_route.setdefault(task.bound, []).append(task)
    for bound, group in by_route.items():
        with step("route", bound.name, group):
            fit = group if bound.placement is None else _of_filled_index(bound.placement, bound, group)
            if bound.splits:
                call_documents_of(bound, fit)
            else:
                _call_route(bound, fit, context)
    _hold_back(tasks)


def actions_of(bound: BoundRoute, record: Change, context: Context) -> list[Action]:
    """Return all actions of a route for a record, before any is written. Raises the errors of the route."""
    name = METHODS[record.event]
    answer = getattr(bound.route, name)(record, context)
    if isinstance(answer, Action):
        raise Reject(f"{name}() returned a single {type(answer).__name__}: return a list of actions")
    return list(answer)


def reindexes_in(actions: Iterable[Action]) -> list[Reindex]:
    return [action for action in actions if isinstance(action, Reindex)]


def search_write(bound: BoundRoute, record: Change, action: Index | Delete, newer_only: bool = False) -> Write:
    """Return the write of an action to the document of a record, with its location and version."""
    version = record.version if bound.versioned else None
    if bound.placement is None:
        return Write(record, action, bound.index, bound.document_id(record), version, newer_only, bound.pipeline)
    place = bound.location(record)
    return Write(record, action, place.index, place.id, version, newer_only, bound.pipeline, place.routing)


def writes_of(
    bound: BoundRoute, record: Change, actions: Iterable[Action], newer_only: bool = False
) -> list[Write]:
    """Return the writes of actions. Raises Reject if the route does not declare a target for an action."""
    writes = []
    for number, action in enumerate(actions):
        name = type(action).__name__
        if isinstance(action, SEARCHES):
            if not bound.index:
                raise Reject(f"{name} has no target: {bound.name} declares no index")
            made = indexing(action.document) if isinstance(action, Index) else action
            writes.append(search_write(bound, record, made, newer_only))
        elif isinstance(action, InsertRows):
            if not bound.database:
                raise Reject(f"{name} has no target: {bound.name} declares no database in writes")
            writes.append(Write(record, action, bound.database, f"{bound.name} {number}", record.version))
        elif isinstance(action, TableAction):
            if not bound.item_table:
                raise Reject(f"{name} has no target: {bound.name} declares no table in writes")
            writes.append(Write(record, action, bound.item_table, "", record.version))
        elif isinstance(action, Reindex):
            if action.route not in bound.reindexes:
                route = getattr(action.route, "__name__", action.route)
                raise Reject(f"{bound.name} returned Reindex({route}, …), which it does not list in reindexes")
        else:
            raise Reject(f"{name} is not an action: return {ACTIONS}")
    return writes


def _call_route(bound: BoundRoute, tasks: Sequence[Task], context: Context) -> None:
    if bound.readable:
        context = context.with_tables(tables_of(bound, [task.record for task in tasks], context))
    gathered: list[Gathered] = []
    for task in tasks:
        record = task.seen
        if isinstance(record, TableRecord) and record.event in bound.batched:
            gathered.append((task, record))
        elif not isinstance(record, Undecodable):
            _call(task, bound, record, context)
    if gathered and bound.alone:
        _call_document(bound, gathered, context)
        if bound.skips:
            drop_unchanged(bound, gathered)
    elif gathered:
        fresh = [one for one in gathered if not one[0].group_size]
        suspects = [one for one in gathered if one[0].group_size]
        for group in (fresh, *parts_of_suspects(suspects, lambda one: one[0].group_size)):
            if group:
                _call_documents(bound, group, context)


def tables_of(bound: BoundRoute, records: Sequence[Record], context: Context) -> Tables:
    """Return the tables that a route reads for these records. What it reads is kept until all are processed."""
    newest = max((record.created or 0.0 for record in records), default=0.0)
    # The time of a record has whole seconds, so the change may be nearly a second younger.
    visible_at = newest + 1.0 + context.settings.index_lag if context.settings.index_lag else 0.0
    return Tables(lambda: context.dynamodb, bound.name, bound.readable, visible_at)


def _of_filled_index(placement: Placement, bound: BoundRoute, tasks: Sequence[Task]) -> Sequence[Task]:
    """Return the tasks whose documents belong to the only index that is filled. The others get results.

    Documents of other indices are not even made: the route may make requests for them, or refuse them.
    """
    if placement.only is None:
        return tasks
    found = []
    for task in tasks:
        if isinstance(task.seen, Undecodable):
            continue
        try:
            bound.location(task.seen)
        except Exception as error:
            task.results = [_failed(error, bound, task.seen)]
        else:
            found.append(task)
    return found


def _call(task: Task, bound: BoundRoute, record: Change, context: Context) -> None:
    if out_of_time():
        task.results = [OUT_OF_TIME]
        return
    try:
        actions = actions_of(bound, record, context)
        task.writes = writes_of(bound, record, actions, task.newer_only)
        if bound.reindexes:
            task.reindexes = reindexes_in(actions)
    except Exception as error:
        task.results = [_failed(error, bound, record)]


def _call_document(bound: BoundRoute, group: Sequence[Gathered], context: Context) -> None:
    """Call `document` for one item after the other. Each document becomes a write at once, to save memory."""
    if out_of_time():
        for task, _ in group:
            task.results = [OUT_OF_TIME]
        return
    assert isinstance(bound.route, TableRoute)
    make = bound.route.document
    for task, record in group:
        try:
            document = make(_item(record.read_new()))
            task.writes = [search_write(bound, record, DELETE if document is None else indexing(document))]
        except Exception as error:
            task.results = [_failed(error, bound, record)]


def _call_documents(bound: BoundRoute, group: Sequence[Gathered], context: Context) -> None:
    """Call `documents` for many items at once. If it fails, call it per item to find the one that fails."""
    if out_of_time():
        for task, _ in group:
            task.writes, task.results = [], [OUT_OF_TIME]
        return
    try:
        documents = _documents(bound, group, context)
    except Exception as error:
        result = _failed(error, bound, group[0][1])
        # After a transient failure, do not replace one request by many.
        if len(group) > 1 and result.outcome is not Outcome.RETRY:
            for one in group:
                _call_documents(bound, [one], context)
            return
        for task, _ in group:  # the next try splits the group
            task.group_size = len(group)
            task.writes, task.results = (), [replace(result, shared=len(group) > 1)]
        return
    for (task, record), document in zip(group, documents, strict=True):
        try:
            task.writes = [search_write(bound, record, DELETE if document is None else indexing(document))]
        except Exception as error:
            task.writes, task.results = (), [_failed(error, bound, record)]


def _documents(bound: BoundRoute, group: Sequence[Gathered], context: Context) -> Sequence[Document | None]:
    assert isinstance(bound.route, TableRoute)
    items = [_item(record.new) for _, record in group]
    documents = bound.route.documents(items, context)
    if len(documents) != len(items):
        raise Reject(f"documents() returned {len(documents)} documents for {len(items)} items")
    return documents


def _item(image: Item | None) -> Item:
    if image is None:
        raise Reject("the record has no new image, and its item could not be re-read")
    return image


def _hold_back(tasks: Sequence[Task]) -> None:
    """Block later records of an item or object while an earlier one on the same route is retried."""
    waiting: set[tuple[str, tuple[str, str]]] = set()
    for task in tasks:
        if isinstance(task.record, Undecodable):
            continue
        if task.results and any(result.outcome is Outcome.RETRY for result in task.results):
            waiting.add((task.route, task.record.subject))
        elif waiting and task.writes and (task.route, task.record.subject) in waiting:
            task.writes, task.results = (), [BLOCKED]


def _failed(error: Exception, bound: BoundRoute, record: Change) -> Result:
    return result_of(error, f"{bound.name} {record.event} of {source_of(record)}", f", key {key_of(record)}")
