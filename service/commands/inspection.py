"""Compare a route's writes for one record with the documents in the index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ..clients.search.response_reader import part
from ..context import Context
from ..errors import StreamdexError
from ..model import Change
from ..pipeline import Write
from ..pipeline.document_json import text_of
from ..pipeline.error_outcomes import result_of
from ..pipeline.route_calls import actions_of, writes_of
from ..routing import BoundRoute, Index, Location
from ..sinks.opensearch.bulk_responses import reason_of

ABSENT: Final = object()
"""The marker for a missing value. None is a value: null in JSON."""


@dataclass(frozen=True)
class Asked:
    """The writes of a route for one record. If there are none, `problem` may say why."""

    writes: Sequence[Write] = ()
    problem: str = ""


@dataclass(frozen=True)
class Held:
    """A document in an index with its version; `document` is None if it does not exist.

    `problem` says why it could not be read, "" if it could.
    """

    index: str
    id: str
    document: Mapping[str, Any] | None = None
    version: int | None = None
    problem: str = ""


@dataclass(frozen=True)
class Difference:
    """One value that differs between two documents; ABSENT on the side that lacks it."""

    path: str
    wanted: Any
    held: Any


def ask(bound: BoundRoute, record: Change, context: Context) -> Asked:
    """Return the writes of a route for a record, without executing them. An exception becomes `problem`."""
    if record.event not in bound.implemented:
        return Asked(problem=f"{bound.name} has no method for {record.event}")
    try:
        return Asked(writes_of(bound, record, actions_of(bound, record, context)))
    except Exception as error:
        return Asked(problem=words_of(error, bound.name))


def look_up(context: Context, location: Location) -> Held:
    """Read a document in real time (before a refresh makes it searchable). An exception becomes `problem`."""
    index, name = location.index, location.id
    routing = {} if location.routing is None else {"routing": location.routing}
    try:
        found = part(context.search.get(index=index, id=name, realtime=True, ignore=[404], **routing), dict)
        if "error" in found:  # the 404 is for the index, not for the document
            return Held(index, name, problem=f"index {index} does not exist")
        source = part(found, dict, "_source") if "_source" in found else None
    except Exception as error:
        return Held(index, name, problem=words_of_search(error))
    return Held(index, name, source, found.get("_version"))


def document_of(write: Write) -> Any:
    """Return the document as it is sent to the index; None for a delete. Raises ValueError if it is not JSON."""
    if not isinstance(write.action, Index):
        return None
    try:
        return orjson.loads(text_of(write.action))
    except TypeError as error:
        raise ValueError(str(error)) from error


def differences(wanted: Any, held: Any, path: str = "") -> Iterator[Difference]:
    """Yield the differences between two documents, each with its dotted path."""
    if isinstance(wanted, Mapping) and isinstance(held, Mapping):
        for name in dict.fromkeys([*wanted, *held]):
            inner = f"{path}.{name}" if path else str(name)
            yield from differences(wanted.get(name, ABSENT), held.get(name, ABSENT), inner)
    elif not _alike(wanted, held):
        yield Difference(path, wanted, held)


def _alike(one: Any, other: Any) -> bool:
    """True if two values are the same JSON. Needed because True == 1 in Python."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


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
