"""The documents that items should have, and the ids of the documents that an index has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...clients.search.response_reader import part
from ...clients.search.scrolling import pages_of_hits
from ...context import Context
from ...errors import StreamdexError
from ...model import Record, TableRecord
from ...model.outcomes import Outcome
from ...pipeline import Task
from ...pipeline.error_outcomes import reaching
from ...pipeline.matching import match
from ...routing import BoundRoute, Location, Router
from ...routing.computed_fields import check_document
from ..comparison import document_of
from ..tables import call_on_items

PAGE: Final = 1000
"""Ids per page."""

SCROLL: Final = "5m"


@dataclass(frozen=True)
class Wanted:
    """The document that an item should have. `source` is None if it should have none.

    `record` is the item as it was read.
    """

    bound: BoundRoute
    record: TableRecord
    location: Location
    source: Mapping[str, Any] | None


def wanted(records: Sequence[Record], router: Router, context: Context) -> tuple[list[Wanted], list[Task]]:
    """Return the documents that the routes make of items, and the tasks that make none.

    Raises Busy if a route fails now and may succeed later, and DeclarationError if a document has a field that its
    route declares as `computed`.
    """
    tasks = call_on_items([task for task in match(records, router) if task.bound is not None], context)
    found, failed = [], []
    for task in tasks:
        if not task.writes or not isinstance(task.seen, TableRecord) or task.bound is None:
            failed.append(task)
            continue
        try:
            sources = [document_of(write) for write in task.writes]
        except (RecursionError, ValueError):
            failed.append(task)
            continue
        for write, source in zip(task.writes, sources, strict=True):
            check_document(task.bound, source)
            found.append(Wanted(task.bound, task.seen, write.location, source))
    busy = next((task for task in failed if task.result.outcome is Outcome.RETRY), None)
    if busy is not None:
        raise Busy(busy.result.reason)
    return found, failed


class Busy(StreamdexError):
    """A route failed on an item and may succeed later."""


def locations_in(context: Context, index: str) -> Iterator[list[Location]]:
    """Yield the locations of all documents in the index at the start, in pages. Raises Halt and Unreachable."""
    search = context.search
    body = {"sort": ["_doc"], "_source": False, "size": PAGE, "query": {"match_all": {}}}
    with reaching("the search server"):
        search.indices.refresh(index=index)
        for hits in pages_of_hits(search, index, body, SCROLL, {}):
            yield [Location(index, part(hit, str, "_id"), part(hit, dict).get("_routing")) for hit in hits]
