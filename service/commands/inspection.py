"""One record looked at closely: what its route asks for today, what the index holds, and how these differ."""

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
from ..routing import BoundRoute, Index
from ..sinks.opensearch.bulk_responses import reason_of

ABSENT: Final = object()
"""The value of what is not there."""


@dataclass(frozen=True)
class Asked:
    """What a route asks for; without writes, `problem` says why it cannot, or that it does not."""

    writes: Sequence[Write] = ()
    problem: str = ""


@dataclass(frozen=True)
class Held:
    """What an index holds of a document now, with its version; `document` is None where it holds none. `problem`
    is why nobody knows."""

    index: str
    id: str
    document: Mapping[str, Any] | None = None
    version: int | None = None
    problem: str = ""


@dataclass(frozen=True)
class Difference:
    """A value that is not the same; ABSENT where there is none."""

    path: str
    wanted: Any
    held: Any


def ask(bound: BoundRoute, record: Change, context: Context) -> Asked:
    """What a route asks for a record as the route is now. Nothing is written; raises nothing."""
    if record.event not in bound.implemented:
        return Asked(problem=f"{bound.name} has no method for {record.event}")
    try:
        return Asked(writes_of(bound, record, actions_of(bound, record, context)))
    except Exception as error:
        return Asked(problem=words_of(error, bound.name))


def look_up(context: Context, index: str, id: str) -> Held:
    """Return what an index holds, read in real time; raises nothing."""
    try:
        found = part(context.search.get(index=index, id=id, realtime=True, ignore=[404]), dict)
        if "error" in found:  # a 404 of the index itself
            return Held(index, id, problem=f"there is no index {index}")
        source = part(found, dict, "_source") if "_source" in found else None
    except Exception as error:
        return Held(index, id, problem=words_of_search(error))
    return Held(index, id, source, found.get("_version"))


def document_of(write: Write) -> Any:
    """The document as the index would be given it; None for a delete. Raises ValueError for what is no JSON."""
    if not isinstance(write.action, Index):
        return None
    try:
        return orjson.loads(text_of(write.action))
    except TypeError as error:
        raise ValueError(str(error)) from error


def differences(wanted: Any, held: Any, path: str = "") -> Iterator[Difference]:
    """Where two documents differ, by path."""
    if isinstance(wanted, Mapping) and isinstance(held, Mapping):
        for name in dict.fromkeys([*wanted, *held]):
            inner = f"{path}.{name}" if path else str(name)
            yield from differences(wanted.get(name, ABSENT), held.get(name, ABSENT), inner)
    elif not _alike(wanted, held):
        yield Difference(path, wanted, held)


def _alike(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: in Python True is 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def words_of_search(error: Any) -> str:
    """What went wrong, from what opensearch-py raised, in words."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        said = error.info.get("error", error.info) if isinstance(error.info, Mapping) else error.info
        causes = said.get("root_cause") if isinstance(said, Mapping) else None
        cause = causes[0] if isinstance(causes, list) and causes else said
        return f"the search server answered {status}: {reason_of(cause)}"
    if status is not None:  # a connection error's is the text N/A or TIMEOUT
        return f"the search server does not answer: {error.error}"
    return words_of(error, "the search server")


def words_of(error: Exception, doing: str) -> str:
    """What went wrong, in words."""
    try:
        return result_of(error, doing).reason
    except StreamdexError as halt:
        return str(halt)
