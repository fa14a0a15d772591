"""Read what a route returns for one record, and stored documents, with errors as texts for the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..clients.search.response_reader import part
from ..context import Context
from ..errors import StreamdexError
from ..model import Change, TableRecord
from ..pipeline import Task, Write
from ..pipeline.composite import reindexes_of, requests_of
from ..pipeline.error_outcomes import result_of
from ..pipeline.rereads import Rereads
from ..pipeline.route_calls import actions_of, reindexes_in, tables_of, writes_of
from ..pipeline.sub_documents import names_of, sub_writes
from ..routing import BoundRoute, Location, Reindex, Router
from ..routing.router import route_name
from ..sinks.opensearch.bulk_responses import reason_of
from ..sources.current_state import Lookups
from .comparison import Stored

SHOWN: Final = 5
"""Maximum keys of a Reindex that are shown."""

COUNTED: Final = 1000
"""Maximum documents of a Reindex that are counted."""


@dataclass(frozen=True)
class Named:
    """The documents of `route` that a Reindex names: their number up to COUNTED, and the first keys."""

    route: str
    documents: int
    more: bool
    keys: Sequence[Mapping[str, Any]]

    @property
    def amount(self) -> str:
        return amount_of(self.documents, self.more)


def amount_of(documents: int, more: bool) -> str:
    """Return a number of documents as a text."""
    return f"{'more than ' * more}{documents:,} document{'s' * (documents != 1)}"


@dataclass(frozen=True)
class Asked:
    """The writes of a route for one record, and the documents that it names in Reindex.

    If there are none, `problem` may say why.
    """

    writes: Sequence[Write] = ()
    reindexes: Sequence[Named] = ()
    problem: str = ""


def ask(bound: BoundRoute, record: Change, context: Context, router: Router) -> Asked:
    """Return what a route returns for a record, without executing it. An exception becomes `problem`.

    A document of several items is made of their current state.
    """
    if record.event not in bound.implemented:
        return Asked(problem=f"{bound.name} has no method for {record.event}")
    task = Task(0, record, bound)
    try:
        if bound.splits and isinstance(record, TableRecord):
            return Asked(sub_writes(bound, record, names_of(bound, record)[0]))
        if bound.composite:
            Rereads(Lookups(context), context.settings.hint_after).reread_before_write([task])
        if task.results:
            return Asked(problem=task.result.reason)
        seen: Any = task.seen
        within = context.with_tables(tables_of(bound, [seen], context)) if bound.readable else context
        actions = actions_of(bound, seen, within)
        task.reindexes = reindexes_in(actions)
        return Asked(writes_of(bound, seen, actions), named_by(task, bound, record, context, router))
    except Exception as error:
        return Asked(problem=words_of(error, bound.name))


def named_by(task: Task, bound: BoundRoute, record: Change, context: Context, router: Router) -> list[Named]:
    """Return the documents that a task names in Reindex. Raises the errors of the route and of the keys."""
    reindexes = reindexes_of(task, bound, record, context) if bound.reindexes else ()
    return [_named(reindex, record, router) for reindex in reindexes]


def _named(reindex: Reindex, record: Change, router: Router) -> Named:
    keys: dict[tuple[str, str], Mapping[str, Any]] = {}
    for bound, name, asked in requests_of(reindex, record, router):
        keys.setdefault((bound.name, name), asked.keys)
        if len(keys) > COUNTED:
            break
    shown = list(keys.values())[:SHOWN]
    return Named(route_name(reindex.route), min(len(keys), COUNTED), len(keys) > COUNTED, shown)


def look_up(context: Context, location: Location) -> tuple[Stored, str]:
    """Read a document in real time (before a refresh makes it searchable). An exception becomes a text."""
    routing = {} if location.routing is None else {"routing": location.routing}
    place = {"index": location.index, "id": location.id, **routing}
    try:
        found = part(context.search.get(**place, realtime=True, ignore=[404]), dict)
        if "error" in found:  # the 404 is for the index, not for the document
            return Stored(), f"index {location.index} does not exist"
        return Stored(found.get("_version"), part(found, dict, "_source") if "_source" in found else None), ""
    except Exception as error:
        return Stored(), words_of_search(error)


def words_of_search(error: Any) -> str:
    """Return an error of opensearch-py as a text for the operator."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        said = error.info.get("error", error.info) if isinstance(error.info, Mapping) else error.info
        causes = said.get("root_cause") if isinstance(said, Mapping) else None
        cause = causes[0] if isinstance(causes, list) and causes else said
        return f"the search server answered {status}: {reason_of(cause)}"
    if status is not None:  # for a connection error it is the text "N/A" or "TIMEOUT"
        return f"the search server does not answer: {error.error}"
    return words_of(error, "the search server")


def words_of(error: Exception, doing: str) -> str:
    """Return an error as a text for the operator; `doing` names the operation that failed."""
    try:
        return result_of(error, doing).reason
    except StreamdexError as halt:
        return str(halt)
