"""Check a sample of a table's documents against the declared mapping, before a rebuild."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ...context import Context
from ...errors import DecodeError, Unreachable
from ...model import TableRecord
from ...model.table_record import scanned
from ...pipeline import Outcome, Task, Write
from ...pipeline.error_outcomes import reaching
from ...pipeline.matching import match
from ...routing import Index, IndexDeclaration, Router, TableRoute
from ...routing.patterns import matches
from ...sinks.opensearch import SearchSink
from ...sinks.opensearch.index_creation import create
from ...sources.scan import describe
from ..tables import call_on_items
from .planning import compare_pipelines
from .server import asking

SCRATCH: Final = "streamdex-check-"
_LEFT_BEHIND: Final = timedelta(hours=1)
"""The age after which a scratch index is a leftover of a check that could not delete it."""

_PAGE: Final = 500
"""Items in one request. A page of a scan has at most 1 MB ("Scan", DynamoDB API Reference)."""


@dataclass(frozen=True)
class Conflict:
    """An item whose document the index would reject: its route, the document's id, and the reason."""

    route: str
    id: str
    reason: str


@dataclass
class Checked:
    """The result for one index: numbers of items read and of documents made from them, and the conflicts.

    `pipelines` are the differences of the declared pipelines. If there are any, no item was read.
    """

    index: str
    items: int = 0
    documents: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    pipelines: list[str] = field(default_factory=list)


def check(
    context: Context,
    router: Router,
    declared: IndexDeclaration,
    tables: Sequence[str],
    sample: int,
    advance: Callable[[int], None],
) -> Checked:
    """Write the documents of a sample of each table to a scratch index, which is deleted afterwards.

    `tables` are actual names. Up to `sample` items of each table that feeds the index are read, eventually
    consistent. `advance` is called with the number of items of each page. The documents pass through the pipelines
    of their routes, which must therefore be as declared. The real index is not changed. Raises Halt, Unreachable
    and Refused.
    """
    checked = Checked(declared.name)
    checked.pipelines = [one.words for one in compare_pipelines(context, declared)]
    if checked.pipelines:
        return checked
    feeding = [table for table in tables if _feeds(router, table, declared.name)]
    if not feeding:
        return checked
    with _scratch(context, declared) as scratch:
        sink = SearchSink(context, {})
        for table in feeding:
            for page in _pages(context, table, sample):
                checked.items += len(page)
                tasks = call_on_items(_tasks(page, router, declared.name), context)
                _write(tasks, sink, scratch, checked)
                advance(len(page))
    return checked


def _feeds(router: Router, table: str, index: str) -> bool:
    logical = router.names.logical("table", table)
    return logical is not None and any(
        isinstance(bound.route, TableRoute) and matches(bound.route.table, logical)
        for bound in router.owners(index)
    )


def _pages(context: Context, name: str, sample: int) -> Iterator[list[TableRecord]]:
    table = describe(context, name)
    left = sample
    start: dict[str, Any] = {}
    while left > 0:
        with reaching(f"reading table {name}"):
            page = context.dynamodb.scan(TableName=name, Limit=min(left, _PAGE), **start)
        left -= len(page["Items"])
        yield [scanned(item, table.keys, table.stream, table.now) for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _tasks(page: Sequence[TableRecord], router: Router, index: str) -> list[Task]:
    owners = router.owners(index)
    return [task for task in match(page, router) if task.bound in owners]


def _write(tasks: Sequence[Task], sink: SearchSink, scratch: str, checked: Checked) -> None:
    writes: list[Write] = []
    routes: list[str] = []
    for task in tasks:
        for result in task.results:
            if result.outcome is Outcome.RETRY:
                raise Unreachable(result.reason)
            if result.outcome is Outcome.REJECTED:
                checked.conflicts.append(Conflict(task.route, _id_of(task), result.reason))
        documents = [write for write in task.writes if isinstance(write.action, Index)]
        writes += [replace(write, target=scratch) for write in documents]
        routes += [task.route] * len(documents)
    checked.documents += len(writes)
    for write, name, result in zip(writes, routes, sink.write(writes) if writes else (), strict=True):
        if result.outcome is Outcome.RETRY:
            raise Unreachable(result.reason)
        if result.outcome is Outcome.REJECTED:
            reason = result.reason.removeprefix(f"index {scratch}: ")
            checked.conflicts.append(Conflict(name, write.id, reason))


def _id_of(task: Task) -> str:
    assert task.bound is not None
    assert isinstance(task.record, TableRecord)
    try:
        return task.bound.document_id(task.record)
    except DecodeError:  # the conflict's reason describes the error in the key
        return ", ".join(map(str, task.record.typed_keys))


@contextmanager
def _scratch(context: Context, declared: IndexDeclaration) -> Iterator[str]:
    """Create a scratch index like the declared one. It is deleted after the block."""
    now = datetime.now(UTC)
    _tidy(context, now)
    name = f"{SCRATCH}{now:%Y%m%d%H%M%S}-{uuid.uuid4().hex[:8]}"
    alone = replace(declared, settings={**declared.settings, "number_of_replicas": 0})
    try:
        with asking():
            create(context, alone, name)
        yield name
    finally:
        with asking():
            context.search.indices.delete(index=name, ignore_unavailable=True)


def _tidy(context: Context, now: datetime) -> None:
    """Delete the scratch indices of checks that were killed."""
    with asking():
        for name in context.search.indices.get_alias(index=f"{SCRATCH}*"):
            made = name.removeprefix(SCRATCH).partition("-")[0]
            if made.isdigit() and made < f"{now - _LEFT_BEHIND:%Y%m%d%H%M%S}":
                context.search.indices.delete(index=name, ignore_unavailable=True)
