"""The search server as a sink: bulk requests with external versions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...context import Context
from ...dispatch import SILENT, Observer, Request, Result, Write
from ...dispatch.outcomes import Outcome
from ...errors import Halt
from ...routing import Index, IndexDeclaration
from .answers import NO_ANSWER, result_of_error, result_of_item
from .body import Chunk, chunks, serialise
from .indices import create_missing
from .pace import Pace
from .values import mapping_conflict

OK, BUSY, TOO_LARGE, BROKEN = 200, 429, 413, 500

GONE = 404
"""The status of a result, and never that of a document that was not found, which is APPLIED."""


PATIENCE = 3
"""Requests in a row that bring nothing, after which the rest of a batch waits for the next try."""

NOT_SENT = Result(Outcome.RETRY, "not sent: the search server does not cope")


class SearchSink:
    """Writes documents through opensearch-py. `indices` are those that routes declare, by name."""

    def __init__(self, context: Context, indices: Mapping[str, IndexDeclaration], observer: Observer = SILENT):
        self._context = context
        self._observer = observer
        self._indices = indices
        self._seen: set[str] = set()
        self._pace = Pace(context.settings.bulk_actions, context.settings.bulk_bytes)

    def write(self, writes: Sequence[Write]) -> list[Result]:
        missing = {write.target for write in writes} - self._seen
        if missing:
            failed = self._create(sorted(missing))
            if failed:
                return [failed] * len(writes)
        results: dict[int, Result] = {}
        lines = serialise(writes, results, self._context.settings.document_bytes)
        silent = 0
        for chunk in chunks(lines, self._pace):
            if silent == PATIENCE:  # each further request could take its whole time-out
                results.update(dict.fromkeys(chunk.positions, NOT_SENT))
                continue
            self._send(chunk, writes, results)
            silent = 0 if any(results[p].outcome.done for p in chunk.positions) else silent + 1
        return [results[position] for position in range(len(writes))]

    def _create(self, indices: Sequence[str]) -> Result | None:
        """Makes sure once per process that indices exist; the result for every write if that failed."""
        if self._context.settings.create_indices:
            try:
                for index in indices:
                    create_missing(self._context, self._indices.get(index) or IndexDeclaration(index))
            except Exception as error:
                refused = result_of_error(error)
                if refused.outcome is Outcome.REJECTED:  # no document is to blame
                    raise Halt(f"the index {index} cannot be created: {refused.reason}") from error
                return refused
        self._seen.update(indices)
        return None

    def _send(self, chunk: Chunk, writes: Sequence[Write], results: dict[int, Result]) -> None:
        """Sends a request, in parts where it is refused whole: one action may be what sank them all."""
        refused = self._request(chunk, writes, results)
        if refused is None or len(chunk.positions) == 1:
            return
        if refused.outcome is Outcome.REJECTED:
            for half in chunk.halves():
                self._send(half, writes, results)
        elif refused.status == BROKEN:
            self._find(chunk, writes, results)
        blame_nobody(chunk, refused, results)

    def _find(self, chunk: Chunk, writes: Sequence[Write], results: dict[int, Result]) -> None:
        """Looks for the action that makes the server fail, for as long as there is a half that does not."""
        halves = chunk.halves()
        refused = [self._request(half, writes, results) for half in halves]
        for half, failed, other in zip(halves, refused, reversed(refused), strict=True):
            if failed is None or len(half.positions) == 1:
                continue
            if other is None:
                self._find(half, writes, results)
            blame_nobody(half, failed, results)

    def _request(self, chunk: Chunk, writes: Sequence[Write], results: dict[int, Result]) -> Result | None:
        """Sends one request and takes down how each action ended; the result of all where it was refused whole."""
        self._context.check()
        try:
            answer = self._post(chunk)
        except Exception as error:
            refused = self._learn(result_of_error(error), chunk)
            results.update(dict.fromkeys(chunk.positions, refused))
            return refused
        items = answer.get("items") if isinstance(answer, dict) else None
        if not isinstance(items, list) or len(items) != len(chunk.positions):
            unclear = Result(Outcome.RETRY, "the search server's answer does not match the bulk request")
            results.update(dict.fromkeys(chunk.positions, unclear))
            return unclear
        may_create = self._context.settings.create_indices
        for position, item in zip(chunk.positions, items, strict=True):
            (action,) = item.values()
            target = writes[position].target
            results[position] = explained(result_of_item(action, target, may_create), writes[position])
            if results[position].status == GONE:
                self._seen.discard(target)
        busy = any(results[position].status == BUSY for position in chunk.positions)
        self._pace.busy() if busy else self._pace.good()
        return None

    def _post(self, chunk: Chunk) -> Any:
        """Sends a request, and tells how it went. Raises what opensearch-py raises."""
        began, status = time.monotonic(), NO_ANSWER
        try:
            with self._observer.step("request", "search"):
                answer = self._context.search.bulk(body=chunk.body)
            status = OK
        except Exception as error:
            found = getattr(error, "status_code", None)  # a connection error's is the text N/A
            status = found if isinstance(found, int) else NO_ANSWER
            raise
        finally:
            seconds = time.monotonic() - began
            self._observer.requested(Request("search", len(chunk.positions), chunk.size, seconds, status))
        return answer

    def _learn(self, refused: Result, chunk: Chunk) -> Result:
        """The same result, once it is taken into account for what comes."""
        if refused.outcome is Outcome.RETRY:
            self._seen.clear()  # what comes back may be another server
            self._pace.busy()  # smaller requests may get through, and tell who is to blame
        if refused.status == TOO_LARGE:
            self._pace.too_large(chunk.size)
        return refused


def blame_nobody(chunk: Chunk, refused: Result, results: dict[int, Result]) -> None:
    """Of what was refused with others nobody knows whether it is to blame: no status is held against it."""
    for position in chunk.positions:
        if results[position] is refused:
            results[position] = replace(refused, status=None)


def explained(result: Result, write: Write) -> Result:
    """The same, with a mapping conflict said in words."""
    if result.outcome is not Outcome.REJECTED or not isinstance(write.action, Index):
        return result
    words = mapping_conflict(result.reason, write.action.document)
    return replace(result, reason=f"index {write.target}: {words}") if words else result
