"""What the search server's answers mean: one table for an action's answer, one for a whole request's.

Tried on OpenSearch 3.6.0: a version conflict is an item's 409; a delete of an unknown id is a 404 with
`result: not_found`, and of an unknown index a 404 with an `error`; a write block is a 403
`cluster_block_exception`; an id or a version that is out of bounds is a 400 for the whole request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from ...dispatch.failures import describe, result_of
from ...dispatch.observers import NO_ANSWER
from ...dispatch.outcomes import APPLIED, Outcome, Result
from ...errors import Halt

_TYPE: Final = re.compile(r'"type" ?: ?"(\w+_exception)"')


def result_of_item(answer: Mapping[str, Any], index: str, may_create: bool = False) -> Result:
    """The result of one action from its part of a bulk answer.

    Raises Halt for what every action would meet. An index that is gone is one of these, unless the service
    `may_create` it again before the next try.
    """
    status = answer.get("status")
    error = answer.get("error")
    if not isinstance(status, int):
        return Result(Outcome.RETRY, "the search server answered an action without a status")
    if status < 300 or (status == 404 and not error):
        return APPLIED
    kind = error.get("type", "") if isinstance(error, Mapping) else ""
    told = f"index {index}: {kind or 'an error without a type'}"
    reason = f"{told}: {reason_of(error)}"
    if status == 409:
        return Result(Outcome.STALE, reason, status, current_version(reason), told)
    if status == 429 or status >= 500 or kind == "cluster_block_exception":
        return Result(Outcome.RETRY, reason, status, told=told)
    if kind == "index_not_found_exception" and may_create:
        return Result(Outcome.RETRY, f"the index {index} is gone: it is created again", status)
    if kind == "index_not_found_exception":
        raise Halt(f"the index {index} does not exist: create it, or set STREAMDEX_CREATE_INDICES=true")
    if status in (401, 403):
        raise Halt(f"{reason}: the service's user may not write to this index")
    return Result(Outcome.REJECTED, reason, status, told=told)


def result_of_request(status: int, body: str) -> Result:
    """The result of a request that was refused whole, for all its actions.

    A 400 or 413 may be the fault of one action among them: the caller sends them in parts to find it. Raises
    Halt for 401 and 403.
    """
    answered = f"the search server answered {status}"
    reason = f"{answered}: {body[:500]}"
    told = ": ".join([answered, *_TYPE.findall(body)[:1]])
    if status in (401, 403) and "cluster_block_exception" not in body:
        raise Halt(f"{reason}: set SEARCH_AUTH, SEARCH_USER and SEARCH_PASSWORD, or the role's permissions")
    if status == 404:
        raise Halt(f"{told}: SEARCH_URL does not lead to an OpenSearch or Elasticsearch server")
    busy = status in (403, 429) or status >= 500
    return Result(Outcome.RETRY if busy else Outcome.REJECTED, reason, status, told=told)


def result_of_error(error: Exception) -> Result:
    """The result of a request that failed whole, from what opensearch-py raised.

    Raises Halt, and errors that are not the search client's.
    """
    from opensearchpy.exceptions import ConnectionError as Unreached
    from opensearchpy.exceptions import SerializationError, TransportError

    if isinstance(error, Unreached):  # its status_code is the text N/A or TIMEOUT
        return Result(Outcome.RETRY, f"the search server does not answer: {error.error}", NO_ANSWER)
    if isinstance(error, SerializationError):
        return Result(Outcome.RETRY, "the search server's answer is not JSON")
    if not isinstance(error, TransportError):
        if result_of(error, "the search server").outcome is Outcome.RETRY:
            return Result(Outcome.RETRY, f"the search server cannot be asked: {describe(error)}")
        raise error
    body = error.info if isinstance(error.info, str) else orjson.dumps(error.info, default=str).decode()
    return result_of_request(int(error.status_code), body)


def current_version(reason: str) -> int | None:
    """The version that a document has, from the words of a conflict; None where they do not say."""
    found = re.findall(r"current version \[(\d+)\]", reason)  # the last: before it stands the id, whatever that is
    return int(found[-1]) if found else None


def reason_of(error: Any) -> str:
    """The reason in an error, with that of its cause, where a mapping conflict says which field it was."""
    if not isinstance(error, Mapping):
        return str(error)
    reason = str(error.get("reason", ""))
    cause = error.get("caused_by")
    return f"{reason} ({reason_of(cause)})" if isinstance(cause, Mapping) else reason
