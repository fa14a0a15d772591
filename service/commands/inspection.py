"""Read the writes of a route for one record and stored documents, with errors as texts for the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..clients.search.response_reader import part
from ..context import Context
from ..errors import StreamdexError
from ..model import Change, TableRecord
from ..pipeline import Write
from ..pipeline.error_outcomes import result_of
from ..pipeline.route_calls import actions_of, writes_of
from ..pipeline.sub_documents import names_of, sub_writes
from ..routing import BoundRoute, Location
from ..sinks.opensearch.bulk_responses import reason_of
from .comparison import Stored


@dataclass(frozen=True)
class Asked:
    """The writes of a route for one record. If there are none, `problem` may say why."""

    writes: Sequence[Write] = ()
    problem: str = ""


def ask(bound: BoundRoute, record: Change, context: Context) -> Asked:
    """Return the writes of a route for a record, without executing them. An exception becomes `problem`."""
    if record.event not in bound.implemented:
        return Asked(problem=f"{bound.name} has no method for {record.event}")
    try:
        if bound.splits and isinstance(record, TableRecord):
            return Asked(sub_writes(bound, record, names_of(bound, record)[0]))
        return Asked(writes_of(bound, record, actions_of(bound, record, context)))
    except Exception as error:
        return Asked(problem=words_of(error, bound.name))


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
