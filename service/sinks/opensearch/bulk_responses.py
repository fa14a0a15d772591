"""Translate the search server's answers into results, for one action and for a whole request.

`known_errors.py` has a row for each known error. All others are classified here, by their status.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from ...errors import Halt, SettingsError, UnexpectedAnswer
from ...model.outcomes import APPLIED, Lasting, Outcome, Result
from ...pipeline.error_outcomes import describe, result_of
from ...pipeline.observers import NO_ANSWER
from ...routing.index_names import is_behind
from .known_errors import KnownError, Meaning, known_error

TOO_LARGE, BUSY, BROKEN = 413, 429, 500
"""HTTP statuses. From BROKEN on, the server has failed."""

GONE: Final = 404
"""The status of a result whose index is missing. A document that was not found is APPLIED instead."""

LONGEST: Final = 1000
"""Maximum characters of a reason, for each error and each of its causes."""

CAUSES: Final = 5
"""Maximum number of causes in a reason."""

OUTCOMES: Final = {
    Meaning.STALE: Outcome.STALE,
    Meaning.DOCUMENT: Outcome.REJECTED,
    Meaning.RACE: Outcome.RETRY,
    Meaning.PASSING: Outcome.RETRY,
}

_REPEATED_REQUEST: Final = re.compile(r"\s*at \[Source: .*", re.DOTALL)

_DROPPED: Final = re.compile(r"no write index is defined for alias \[([^\]]+)\]")
"""The answer to a write to a dropped index, whose name is an alias now: see `alias_targets.drop`."""


def result_of_item(entry: Any, index: str, may_create: bool = False) -> Result:
    """Return the result of one action, from its entry `{action: {"status": …}}` in a bulk answer.

    Raises Halt for an error that every action would meet. A missing index is one of them, unless the service
    `may_create` it before the next attempt.
    """
    action = next(iter(entry.values())) if isinstance(entry, Mapping) and len(entry) == 1 else None
    status = action.get("status") if isinstance(action, Mapping) else None
    if not isinstance(action, Mapping) or type(status) is not int or not 200 <= status < 600:
        return _unclear(index)
    error = action.get("error")
    if error is None and (status < 300 or status == 404):
        return APPLIED
    if status < 300:
        return _unclear(index)
    kind, words = type_of(error), f"index {index}"
    log_text = f"{words}: {kind or f'status {status}'}"
    reason = f"{log_text}: {reason_of(error)}"
    row = known_error(kind, first_reason_of(error))
    if row is None:
        if status in (401, 403):
            raise Halt(f"{log_text}: the service's user may not write to this index")
        return Result(Outcome.RETRY, reason, status, log_text=log_text)
    gone = _gone(kind, first_reason_of(error), index, may_create)
    if gone:
        return Result(Outcome.RETRY, gone, GONE)
    return _result_of_row(row, words, status, reason, log_text, first_reason_of(error))


def is_creation(entry: Any) -> bool:
    """True if the entry says that the document is new in the index."""
    action = entry.get("index") if isinstance(entry, Mapping) else None
    return isinstance(action, Mapping) and action.get("result") == "created"


def _unclear(index: str) -> Result:
    reason = f"index {index}: unexpected result of an action in the search server's answer"
    return Result(Outcome.RETRY, reason, lasting=Lasting.HALT)


def _result_of_row(row: KnownError, words: str, status: int, reason: str, log_text: str, said: str) -> Result:
    """Return the result for a row of the table. Raises Halt."""
    advice = row.advice(said)
    if row.meaning is Meaning.EVERYBODY:
        raise Halt(f"{words}: {row.type}: {advice}")
    conflict = current_version(reason) if row.meaning is Meaning.STALE else None
    lasting = Lasting.REJECT if row.meaning is Meaning.RACE else None
    if advice:
        reason, log_text = f"{reason}: {advice}", f"{log_text}: {advice}"
    return Result(OUTCOMES[row.meaning], reason, status, conflict, log_text, lasting)


def _gone(kind: str, said: str, index: str, may_create: bool) -> str:
    """Return why a write to a missing index can be retried after the targets are read again; "" if it cannot."""
    dropped = _DROPPED.search(said)
    if dropped and is_behind(index, dropped[1]):
        return f"{dropped[1]}, an index behind {index}, was deleted"
    if kind == "index_not_found_exception" and may_create:
        return f"the index {index} is missing: it will be created again"
    return ""


def result_of_request(status: int, body: str) -> Result:
    """Return the result of all actions of a request that was refused as a whole.

    REJECTED is the fault of one of its actions: the caller sends them in parts to find it. An unknown error is
    retried, and halts if it lasts. Raises Halt for an error that every request would meet.
    """
    error = _error_in(body)
    kind, answered = type_of(error), f"the search server answered {status}"
    log_text = f"{answered}: {kind}" if kind else answered
    reason = f"{log_text}: {reason_of(error if kind else body)}"
    row = known_error(kind, first_reason_of(error))
    if row is not None:
        return _result_of_row(row, answered, status, reason, log_text, first_reason_of(error))
    if status in (401, 403):
        raise Halt(f"{reason}: check SEARCH_AUTH, SEARCH_USER and SEARCH_PASSWORD, or the role's permissions")
    if status == 404:
        raise Halt(f"{log_text}: SEARCH_URL is not the URL of an OpenSearch or Elasticsearch server")
    if status == TOO_LARGE:
        return Result(Outcome.REJECTED, reason, status, log_text=log_text)
    if status == BUSY or status >= BROKEN:
        return Result(Outcome.RETRY, reason, status, log_text=log_text)
    log_text = f"{log_text}, which a search server does not return here: check the proxy, or correct SEARCH_URL"
    return Result(Outcome.RETRY, reason, status, log_text=log_text, lasting=Lasting.HALT)


def _error_in(body: str) -> Any:
    """Return the error in the body of an answer; None if it has another shape."""
    try:
        answer = orjson.loads(body)
    except ValueError:
        return None
    return answer.get("error") if isinstance(answer, Mapping) else None


def result_of_error(error: Exception) -> Result:
    """Return the result of a request that failed as a whole, from the exception of opensearch-py.

    Raises Halt, and exceptions of other origin than the search client.
    """
    from opensearchpy.exceptions import ConnectionError as Unreached
    from opensearchpy.exceptions import TransportError

    if isinstance(error, Unreached):  # its status_code is the text N/A or TIMEOUT
        return Result(Outcome.RETRY, f"the search server does not answer: {error.error}", NO_ANSWER)
    if isinstance(error, SettingsError):
        raise error
    if isinstance(error, UnexpectedAnswer):
        return Result(Outcome.RETRY, str(error), lasting=Lasting.HALT)
    if not isinstance(error, TransportError):
        if result_of(error, "the search server").outcome is Outcome.RETRY:
            return Result(Outcome.RETRY, f"request to the search server failed: {describe(error)}")
        raise error
    info = error.info if error.info is not None else error.error
    body = info if isinstance(info, str) else json.dumps(info, default=str)
    return result_of_request(int(error.status_code), body)


def current_version(reason: str) -> int | None:
    """Return the version of the document from the reason of a conflict; None if it is not given."""
    found = re.findall(r"current version \[(\d+)\]", reason)  # the last match: the id before it may match too
    return int(found[-1]) if found else None


def type_of(error: Any) -> str:
    """Return the type of an error, such as `mapper_parsing_exception`; "" if it has none."""
    kind = error.get("type") if isinstance(error, Mapping) else None
    return kind if isinstance(kind, str) else ""


def first_reason_of(error: Any) -> str:
    """Return the reason of an error, without its causes and without the repeated request of Elasticsearch 7.

    The headers of that request contain the password of the service.
    """
    reason = error.get("reason", "") if isinstance(error, Mapping) else error
    text = str(reason).encode("utf-8", "replace").decode()
    return _REPEATED_REQUEST.sub("", text)[:LONGEST]


def reason_of(error: Any) -> str:
    """Return the reason of an error and of its causes. The cause of a mapping conflict names the field."""
    reasons = [first_reason_of(error)]
    while isinstance(error, Mapping) and isinstance(error.get("caused_by"), Mapping) and len(reasons) <= CAUSES:
        error = error["caused_by"]
        reasons.append(first_reason_of(error))
    return " (".join(reasons) + ")" * (len(reasons) - 1)
