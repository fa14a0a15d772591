"""Documents: what items should make, and what the index holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...context import Context
from ...dispatch import SILENT
from ...dispatch.failures import reaching
from ...dispatch.outcomes import Outcome
from ...dispatch.planning import Task, ask, route
from ...errors import Halt, StreamdexError
from ...records import Record, TableRecord
from ...routing import BoundRoute, Router
from ..inspection import document_of
from .findings import Stored

AT_ONCE: Final = 500
"""Documents that are asked for in one request."""

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


def stored(context: Context, places: Sequence[tuple[str, str]]) -> list[Stored]:
    """The documents at (index, id), as they are now. Raises Halt for an index that is missing, and Unreachable."""
    found: list[Stored] = []
    for begin in range(0, len(places), AT_ONCE):
        page = [{"_index": index, "_id": name} for index, name in places[begin : begin + AT_ONCE]]
        with reaching("the search server"):
            answer = context.search.mget(body={"docs": page})
        found += [_stored(one) for one in answer["docs"]]
    return found


def _stored(answer: Mapping[str, Any]) -> Stored:
    if "error" in answer:
        raise Halt(f"the index {answer.get('_index')} cannot be read: {answer['error'].get('reason')}")
    if not answer.get("found"):
        return Stored()
    if "_source" not in answer:
        raise Halt(f"the index {answer.get('_index')} keeps no _source: there is nothing to verify it by")
    return Stored(answer.get("_version"), answer["_source"])


def ids(context: Context, index: str) -> Iterator[list[str]]:
    """The ids of all documents that an index had when this began. Raises Halt and Unreachable."""
    search = context.search
    with reaching("the search server"):
        search.indices.refresh(index=index)
        answer = search.search(
            index=index,
            body={"sort": ["_doc"], "_source": False, "size": 2 * AT_ONCE, "query": {"match_all": {}}},
            params={"scroll": SCROLL},
        )
    try:
        while hits := answer["hits"]["hits"]:
            yield [hit["_id"] for hit in hits]
            with reaching("the search server"):
                answer = search.scroll(body={"scroll_id": answer["_scroll_id"], "scroll": SCROLL})
    finally:
        search.clear_scroll(body={"scroll_id": [answer["_scroll_id"]]}, params={"ignore": 404})
