"""Read stored documents from indices in batches."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from ..clients.search.response_reader import part
from ..context import Context
from ..errors import Halt, UnexpectedAnswer
from ..pipeline.error_outcomes import reaching
from ..routing import Location
from ..sinks.opensearch.bulk_responses import reason_of, type_of
from .comparison import Stored
from .inspection import words_of_search

AT_ONCE: Final = 500
"""Documents in one request."""


def stored(context: Context, locations: Sequence[Location], missing: Collection[str] = ()) -> list[Stored]:
    """Return the stored document at each location, in the same order.

    The indices in `missing` count as empty if they do not exist. Raises Halt if an index cannot be read, or
    another one does not exist. Raises Unreachable if the search server does not answer.
    """
    found: list[Stored] = []
    for begin in range(0, len(locations), AT_ONCE):
        page = locations[begin : begin + AT_ONCE]
        answers = _read(context, [_wanted(one) for one in page])
        found += [_stored(part(one, dict), at, missing) for at, one in zip(page, answers, strict=True)]
    return found


def _wanted(location: Location) -> dict[str, str]:
    routing = {} if location.routing is None else {"routing": location.routing}
    return {"_index": location.index, "_id": location.id, **routing}


def _read(context: Context, page: Sequence[Mapping[str, str]]) -> Sequence[Any]:
    """Return the answer for each document. Raises Halt, Unreachable and UnexpectedAnswer."""
    from opensearchpy.exceptions import TransportError

    try:
        with reaching("the search server"):
            answers = part(context.search.mget(body={"docs": page}), list, "docs")
    except TransportError as error:
        raise Halt(f"cannot read documents: {words_of_search(error)}") from error
    if len(answers) != len(page):
        raise UnexpectedAnswer(f"the search server's answer to {len(page)} documents has {len(answers)} entries")
    return answers


def _stored(answer: Mapping[str, Any], location: Location, missing: Collection[str]) -> Stored:
    error = answer.get("error")
    if error and not (location.index in missing and type_of(error) == "index_not_found_exception"):
        raise Halt(f"cannot read index {answer.get('_index')}: {reason_of(error)}")
    if not answer.get("found"):
        return Stored()
    if answer.get("_routing") != location.routing:
        # A shard identifies a document by its id alone, so the answer may have another routing value.
        return Stored(answer.get("_version"))
    if "_source" not in answer:
        raise Halt(f"index {answer.get('_index')} does not store _source, so its documents cannot be compared")
    return Stored(answer.get("_version"), part(answer, dict, "_source"))
