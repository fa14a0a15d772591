"""Documents: what items should make, and which ones an index holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...clients.search.response_reader import part
from ...context import Context
from ...errors import StreamdexError
from ...model import Record, TableRecord
from ...model.outcomes import Outcome
from ...pipeline import SILENT
from ...pipeline.error_outcomes import reaching
from ...pipeline.route_calls import Task, ask, route
from ...routing import BoundRoute, Router
from ..inspection import document_of

PAGE: Final = 1000
"""Ids of one answer."""

SCROLL: Final = "5m"


@dataclass(frozen=True)
class Wanted:
    """The document that an item should have: `source` is None where it should have none.

    `record` is the item as it was read, `index` the index as it exists.
    """

    bound: BoundRoute
    record: TableRecord
    index: str
    id: str
    source: Mapping[str, Any] | None


def wanted(records: Sequence[Record], router: Router, context: Context) -> tuple[list[Wanted], list[Task]]:
    """What the routes make of items; and the tasks of those that a route has nothing to write for, or rejects."""
    tasks = [task for task in route(records, router) if task.bound is not None]
    ask(tasks, context, SILENT.step)
    found, failed = [], []
    for task in tasks:
        if not task.writes or not isinstance(task.seen, TableRecord) or task.bound is None:
            failed.append(task)
            continue
        (write,) = task.writes
        try:
            source = document_of(write)
        except (RecursionError, ValueError):
            failed.append(task)
            continue
        found.append(Wanted(task.bound, task.seen, write.target, write.id, source))
    busy = next((task for task in failed if task.result.outcome is Outcome.RETRY), None)
    if busy is not None:
        raise Busy(busy.result.reason)
    return found, failed


class Busy(StreamdexError):
    """What is needed cannot be had for now."""


def ids(context: Context, index: str) -> Iterator[list[str]]:
    """Yield the ids of all documents that an index had when this began, in pages. Raises Halt and Unreachable."""
    search = context.search
    with reaching("the search server"):
        search.indices.refresh(index=index)
        answer = search.search(
            index=index,
            body={"sort": ["_doc"], "_source": False, "size": PAGE, "query": {"match_all": {}}},
            params={"scroll": SCROLL},
        )
    scroll = part(answer, str, "_scroll_id")
    try:
        while hits := part(answer, list, "hits", "hits"):
            yield [part(hit, str, "_id") for hit in hits]
            with reaching("the search server"):
                answer = search.scroll(body={"scroll_id": scroll, "scroll": SCROLL})
            scroll = part(answer, str, "_scroll_id")
    finally:
        search.clear_scroll(body={"scroll_id": [scroll]}, params={"ignore": 404})
