"""Send writes in bulk requests. A request that fails as a whole is divided to find the write that is the cause."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ...clients.search.response_reader import Done, entries_in
from ...context import Context
from ...deadline import request_time, time_left
from ...model.outcomes import APPLIED, DOCUMENT_CREATED, NOT_SENT, OUT_OF_TIME, PATIENCE, SUCCEEDED, Outcome
from ...pipeline import Observer, Result, Write
from ...pipeline.delivery import Fence
from ...pipeline.observers import NO_ANSWER
from ...pipeline.prefetch import Prefetch, Sent
from ...pipeline.stuck_records import probe_of
from ...routing import Index
from .bulk_body import BulkSize, Chunk, chunks, serialise
from .bulk_responses import BROKEN, BUSY, GONE, TOO_LARGE, is_creation, result_of_error, result_of_item
from .document_checks import mapping_conflict
from .suspect_writes import Line, SuspectWrites

REFUSED: Final = 400


@dataclass(frozen=True, slots=True)
class BulkServer:
    """The parts that all requests of a sink share.

    `forget` removes targets from the cache; all of them without a name.
    """

    context: Context
    observer: Observer
    forget: Callable[..., None]
    size: BulkSize
    suspects: SuspectWrites = field(default_factory=SuspectWrites)


@dataclass(slots=True)
class Sending:
    """The requests for some writes. `results` gets the result of each write by its position."""

    server: BulkServer
    writes: Sequence[Write]
    fence: Fence
    results: dict[int, Result] = field(default_factory=dict)

    def send(self, metas: Mapping[str, Mapping[str, Any]], prefetch: Prefetch | None = None) -> dict[int, Result]:
        """Send all writes and return `results`; `metas` has the index fields of an action by target.

        Each request is built when the one before is answered. `prefetch` runs during the last request; it may not
        run at all. Raises Halt and LeaseLost.
        """
        suspects = self.server.suspects
        lines = serialise(self.writes, metas, self.results, self.server.context.settings.document_bytes)
        held: list[Line] = []
        if suspects.failed:
            lines = suspects.hold_back(lines, self.writes, held)
        self._send_all(chunks(lines, self.server.size), prefetch)
        if held:
            self._send_suspects(held, metas)
        if suspects.failed:
            suspects.clear(self.writes, self.results)
        return self.results

    def _send_all(self, requests: Iterable[Chunk], prefetch: Prefetch | None = None) -> None:
        """Send requests, until PATIENCE of them in a row fail: each could take its whole time-out."""
        silent = 0
        for chunk in requests:
            if silent == PATIENCE:
                self.results.update(dict.fromkeys(chunk.positions, NOT_SENT))
                continue
            refused = self._request(chunk, None if chunk.more else prefetch)
            if refused is not None:
                self._divide(chunk, refused)
            silent = 0 if any(self.results[p].outcome.done for p in chunk.positions) else silent + 1

    def _send_suspects(self, held: Sequence[Line], metas: Mapping[str, Mapping[str, Any]]) -> None:
        """Send suspect writes apart from all others, and only to indices that accept other writes."""
        writes, results = self.writes, self.results
        taking = {writes[position].target for position, result in results.items() if result.outcome in SUCCEEDED}
        for target, parts in self.server.suspects.by_target(held, writes).items():
            if target not in taking and not self._takes_another(writes[parts[0][0][0]], metas):
                results.update((position, NOT_SENT) for part in parts for position, _ in part)
                continue
            self._send_all(chunk for part in parts for chunk in chunks(part, self.server.size))

    def _takes_another(self, write: Write, metas: Mapping[str, Mapping[str, Any]]) -> bool:
        """True if the index of a write accepts a test write."""
        return Sending(self.server, [probe_of(write)], self.fence).send(metas)[0].outcome in SUCCEEDED

    def _divide(self, chunk: Chunk, refused: Result) -> None:
        """Send a request that was refused as a whole in parts, because one action may be the cause.

        If the result is REJECTED, or the status is 400 or 500, the halves of the request follow at once. After any
        other failure its actions are suspects, which the next attempt sends apart.
        """
        if len(chunk.positions) > 1:
            if refused.outcome is Outcome.REJECTED:
                for half in chunk.halves():
                    failed = self._request(half)
                    if failed is not None:
                        self._divide(half, failed)
            elif refused.status in (REFUSED, BROKEN):
                self._find(chunk)
        self.server.suspects.add(chunk, refused, self.writes, self.results)

    def _find(self, chunk: Chunk) -> None:
        """Search for the action that makes the server fail, as long as one half succeeds."""
        halves = chunk.halves()
        refused = [self._request(half) for half in halves]
        for half, failed, other in zip(halves, refused, reversed(refused), strict=True):
            if failed is None:
                continue
            if other is None and len(half.positions) > 1:
                self._find(half)
            self.server.suspects.add(half, failed, self.writes, self.results)

    def _request(self, chunk: Chunk, prefetch: Prefetch | None = None) -> Result | None:
        """Send one request and record the result of each action.

        Return the common result if the request was refused as a whole.
        """
        self.fence()
        left = time_left()
        if left < 0:
            self.results.update(dict.fromkeys(chunk.positions, OUT_OF_TIME))
            return OUT_OF_TIME
        try:
            entries = entries_in(self._post(chunk, prefetch), len(chunk.positions))
        except Exception as error:
            refused = self._learn(result_of_error(error), chunk)
            half = request_time(self.server.context.settings.search_timeout) / 2
            if refused.status == NO_ANSWER and left < half:  # the server had no time to answer
                refused = OUT_OF_TIME
            self.results.update(dict.fromkeys(chunk.positions, refused))
            return refused
        if isinstance(entries, Done):  # this includes deletes of missing documents
            self.results.update(dict.fromkeys(chunk.positions, APPLIED))
            busy = False
        else:
            busy = self._note_each(chunk, entries)
        self._note_creations(chunk, entries)
        self.server.size.busy() if busy else self.server.size.good()
        return None

    def _post(self, chunk: Chunk, prefetch: Prefetch | None) -> Any:
        """Send a request and report it to the observer. Raises what opensearch-py raises."""
        search, body = self.server.context.search, chunk.body
        with self.server.observer.request("search", len(chunk.positions), chunk.size, _status_of) as ended:
            if prefetch is None:
                return search.bulk(body=body)

            def send() -> Any:
                try:
                    return search.bulk(body=body)
                finally:
                    ended.append(time.monotonic())

            return Sent(send, prefetch).answer()

    def _learn(self, refused: Result, chunk: Chunk) -> Result:
        """Adapt the request size and the cached targets to a refused request. Return its result unchanged."""
        if refused.outcome is Outcome.RETRY:
            self.server.forget()  # another server may answer next
            if len(chunk.positions) > 1:
                self.server.size.busy()  # smaller requests may succeed
        if refused.status == TOO_LARGE:
            self.server.size.too_large(chunk.size)
        return refused

    def _note_each(self, chunk: Chunk, entries: Sequence[Any]) -> bool:
        """Record the result of each action of an answer. True if the server was too busy for one of them."""
        may_create = self.server.context.settings.create_indices
        for position, entry in zip(chunk.positions, entries, strict=True):
            target = self.writes[position].target
            result = result_of_item(entry, target, may_create)
            self.results[position] = explained(result, self.writes[position])
            if result.status == GONE:
                self.server.forget(target)
        return any(self.results[position].status == BUSY for position in chunk.positions)

    def _note_creations(self, chunk: Chunk, entries: Sequence[Any]) -> None:
        """Mark new documents whose records came unordered. The entries of ordered records are not checked."""
        unordered = [at for at, p in enumerate(chunk.positions) if not self.writes[p].record.ordered]
        for at in unordered:
            if is_creation(entries[at]) and self.results[chunk.positions[at]] == APPLIED:
                self.results[chunk.positions[at]] = DOCUMENT_CREATED


def explained(result: Result, write: Write) -> Result:
    """Return the result with a readable reason if it is a mapping conflict."""
    if result.outcome is not Outcome.REJECTED or not isinstance(write.action, Index):
        return result
    words = mapping_conflict(result.reason, write.action.document)
    return replace(result, reason=f"index {write.target}: {words}", log_text=None) if words else result


def _status_of(error: Exception) -> int | None:
    """Return the status of an answer; None for a connection error, whose status is a text."""
    found = getattr(error, "status_code", None)
    return found if isinstance(found, int) else None
