"""Sink for search servers: sends bulk requests with external versions."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ...clients.search.response_reader import Done, entries_in
from ...context import Context
from ...deadline import request_time, time_left
from ...errors import Halt, Retry
from ...model.outcomes import APPLIED, DOCUMENT_CREATED, NOT_SENT, OUT_OF_TIME, PATIENCE, SUCCEEDED, Outcome
from ...pipeline import SILENT, Observer, Result, Write
from ...pipeline.observers import NO_ANSWER
from ...pipeline.prefetch import Prefetch, Prefetched, Sent
from ...pipeline.stuck_records import probe
from ...routing import Index, IndexDeclaration
from .alias_targets import SeenTargets, Target, look
from .bulk_body import Chunk, chunks, serialise
from .bulk_responses import BROKEN, BUSY, GONE, TOO_LARGE, is_creation, result_of_error, result_of_item
from .bulk_size import BulkSize
from .document_checks import mapping_conflict
from .index_copies import Copies
from .index_creation import create_behind
from .missing_indices import Absences
from .suspect_writes import Line, SuspectWrites

REFUSED: Final = 400


class SearchSink:
    """Write documents with opensearch-py. `indices` are the declarations of the routes, by index name."""

    def __init__(
        self,
        context: Context,
        indices: Mapping[str, IndexDeclaration],
        observer: Observer = SILENT,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._context = context
        self._observer = observer
        self._indices = indices
        self._targets = SeenTargets(clock)
        self._pace = BulkSize(context.settings.bulk_actions, context.settings.bulk_bytes)
        self._suspects = SuspectWrites()
        self._copies = Copies(context, observer, self._send_copies)
        self._absences = Absences()

    def absences(self, names: Collection[str]) -> Mapping[str, int]:
        """Return how often each index was missing. Creates missing ones if the settings allow it.

        Raises Halt, and Retry if the server cannot be reached.
        """
        _, failed = self._look(names)
        if failed:
            raise Retry(failed.summary)
        return self._absences.times(names)

    def write(self, writes: Sequence[Write], prefetch: Prefetch | None = None) -> list[Result]:
        """Write a batch as `Sink` describes. While one request is on its way, the next one is built.

        `prefetch` runs during the last request; it may not run at all.
        """
        targets, failed = self._look({write.target for write in writes})
        if failed:
            return [failed] * len(writes)
        results: dict[int, Result] = {}
        metas = {name: target.meta for name, target in targets.items()}
        lines = serialise(writes, metas, results, self._context.settings.document_bytes)
        held: list[Line] = []
        if self._suspects:
            lines = self._suspects.hold_back(lines, writes, held)
        self._send_all(self._requests(lines, prefetch), writes, results)
        if held:
            self._send_suspects(held, writes, results)
        if self._suspects:
            self._suspects.clear(writes, results)
        if any(target.also for target in targets.values()):
            self._copy(writes, targets, results)
        return [results[position] for position in range(len(writes))]

    def _send_suspects(self, held: Sequence[Line], writes: Sequence[Write], results: dict[int, Result]) -> None:
        """Send suspect writes apart from all others, and only to indices that accept other writes."""
        taking = {writes[position].target for position, result in results.items() if result.outcome in SUCCEEDED}
        for target, parts in self._suspects.by_target(held, writes).items():
            first = parts[0][0][0]
            if target not in taking and probe(writes[first], self).outcome not in SUCCEEDED:
                results.update((position, NOT_SENT) for part in parts for position, _ in part)
                continue
            made = (chunk for part in parts for chunk in chunks(part, self._pace))
            self._send_all(((chunk, None) for chunk in made), writes, results)

    def _send_all(
        self,
        requests: Iterable[tuple[Chunk, Prefetch | None]],
        writes: Sequence[Write],
        results: dict[int, Result],
    ) -> None:
        """Send requests, until PATIENCE of them in a row fail: each could take its whole time-out."""
        silent = 0
        for chunk, beside in requests:
            if silent == PATIENCE:
                results.update(dict.fromkeys(chunk.positions, NOT_SENT))
                continue
            self._send(chunk, writes, results, beside)
            silent = 0 if any(results[p].outcome.done for p in chunk.positions) else silent + 1

    def _requests(
        self, lines: Iterable[tuple[int, bytes]], prefetch: Prefetch | None
    ) -> Iterator[tuple[Chunk, Prefetch | None]]:
        """Yield requests within the current limits, each with the work to run while it is on its way."""
        made = Prefetched(chunks(lines, self._pace))
        for chunk in made:
            *first, last = chunk.parts(self._pace)
            yield from ((part, None) for part in first)
            yield last, made.prepare if chunk.more else prefetch

    def _look(self, names: Collection[str]) -> tuple[dict[str, Target], Result | None]:
        """Return the cached or current targets, or the result of every write if they cannot be read.

        Raises Halt.
        """
        try:
            return self._targets.find(names, self._find_or_create), None
        except Exception as error:
            return {}, replace(result_of_error(error), status=None, shared=True)  # no document is to blame

    def _find_or_create(self, names: Sequence[str]) -> dict[str, Target]:
        """Return the current targets. Missing indices are created if the settings allow it.

        Raises Halt if the server refuses to create one, and what opensearch-py raises.
        """
        found = look(self._context, names)
        self._absences.note(found)
        for name in names:
            if not found[name].live and self._context.settings.create_indices:
                declared = self._indices.get(name) or IndexDeclaration(name)
                try:
                    found[name] = create_behind(self._context, declared, found[name])
                except Exception as error:
                    refused = result_of_error(error)
                    if refused.outcome is Outcome.REJECTED or refused.status == REFUSED:
                        raise Halt(f"the index {name} cannot be created: {refused.reason}") from error
                    raise
        return found

    def _copy(self, writes: Sequence[Write], targets: Mapping[str, Target], results: dict[int, Result]) -> None:
        """Repeat the writes in the copies. The aliases are read again before a record is retried."""
        if self._context.out_of_time():  # the records are redelivered, and then copied
            copied = [p for p, write in enumerate(writes) if targets[write.target].also]
            results.update(dict.fromkeys(copied, OUT_OF_TIME))
            return
        for position, retried in self._copies.write(writes, targets, results):
            results[position] = retried
            self._targets.forget(writes[position].target)

    def _send_copies(self, writes: Sequence[Write], metas: Mapping[str, Mapping[str, Any]]) -> dict[int, Result]:
        """Send writes to a copy; `metas` gives its index fields. Return the results by position."""
        results: dict[int, Result] = {}
        lines = serialise(writes, metas, results, self._context.settings.document_bytes)
        self._send_all(self._requests(lines, None), writes, results)
        return results

    def _send(
        self, chunk: Chunk, writes: Sequence[Write], results: dict[int, Result], beside: Prefetch | None = None
    ) -> None:
        """Send a request. If it is refused as a whole, send it in parts, because one action may be the cause.

        If the result is REJECTED, or the status is 400 or 500, the halves of the request follow at once. After any
        other failure its actions are suspects, which the next attempt sends apart.
        """
        refused = self._request(chunk, writes, results, beside)
        if refused is None:
            return
        if len(chunk.positions) > 1:
            if refused.outcome is Outcome.REJECTED:
                for half in chunk.halves():
                    self._send(half, writes, results)
            elif refused.status in (REFUSED, BROKEN):
                self._find(chunk, writes, results)
        self._suspects.add(chunk, refused, writes, results)

    def _find(self, chunk: Chunk, writes: Sequence[Write], results: dict[int, Result]) -> None:
        """Search for the action that makes the server fail, as long as one half succeeds."""
        halves = chunk.halves()
        refused = [self._request(half, writes, results) for half in halves]
        for half, failed, other in zip(halves, refused, reversed(refused), strict=True):
            if failed is None:
                continue
            if other is None and len(half.positions) > 1:
                self._find(half, writes, results)
            self._suspects.add(half, failed, writes, results)

    def _request(
        self, chunk: Chunk, writes: Sequence[Write], results: dict[int, Result], beside: Prefetch | None = None
    ) -> Result | None:
        """Send one request and record the result of each action.

        Return the common result if the request was refused as a whole.
        """
        self._context.check()
        if self._context.out_of_time():
            results.update(dict.fromkeys(chunk.positions, OUT_OF_TIME))
            return OUT_OF_TIME
        cut_short = time_left() < request_time(self._context.settings.search_timeout) / 2
        try:
            entries = entries_in(self._post(chunk, beside), len(chunk.positions))
        except Exception as error:
            refused = self._learn(result_of_error(error), chunk)
            if refused.status == NO_ANSWER and cut_short:  # the server had no time to answer
                refused = OUT_OF_TIME
            results.update(dict.fromkeys(chunk.positions, refused))
            return refused
        if isinstance(entries, Done):  # this includes deletes of missing documents
            results.update(dict.fromkeys(chunk.positions, APPLIED))
            note_creations(chunk, entries, writes, results)
            self._pace.good()
            return None
        may_create = self._context.settings.create_indices
        for position, entry in zip(chunk.positions, entries, strict=True):
            target = writes[position].target
            results[position] = explained(result_of_item(entry, target, may_create), writes[position])
            if results[position].status == GONE:
                self._targets.forget(target)
        note_creations(chunk, entries, writes, results)
        busy = any(results[position].status == BUSY for position in chunk.positions)
        self._pace.busy() if busy else self._pace.good()
        return None

    def _post(self, chunk: Chunk, beside: Prefetch | None) -> Any:
        """Send a request and report it to the observer. Raises what opensearch-py raises."""
        search, body = self._context.search, chunk.body
        with self._observer.request("search", len(chunk.positions), chunk.size, _status_of) as watch:

            def send() -> Any:
                with watch:
                    return search.bulk(body=body)

            return Sent(send, beside).answer() if beside else send()

    def _learn(self, refused: Result, chunk: Chunk) -> Result:
        """Adapt the request size and the cached targets to a refused request. Return its result unchanged."""
        if refused.outcome is Outcome.RETRY:
            self._targets.forget()  # another server may answer next
            if len(chunk.positions) > 1:
                self._pace.busy()  # smaller requests may succeed
        if refused.status == TOO_LARGE:
            self._pace.too_large(chunk.size)
        return refused


def note_creations(
    chunk: Chunk, entries: Sequence[Any], writes: Sequence[Write], results: dict[int, Result]
) -> None:
    """Mark new documents whose records came unordered. The entries of ordered records are not checked."""
    unordered = [at for at, position in enumerate(chunk.positions) if not writes[position].record.ordered]
    for at in unordered:
        if is_creation(entries[at]) and results[chunk.positions[at]] == APPLIED:
            results[chunk.positions[at]] = DOCUMENT_CREATED


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
