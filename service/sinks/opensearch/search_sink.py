"""The search server as a sink: bulk requests with external versions."""

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
from ...pipeline.prefetch import Ahead, Meanwhile, Sent
from ...pipeline.stuck_records import probe
from ...routing import Index, IndexDeclaration
from .alias_targets import SeenTargets, Target, look
from .bulk_body import Chunk, chunks, serialise
from .bulk_responses import BROKEN, BUSY, GONE, TOO_LARGE, is_creation, result_of_error, result_of_item
from .bulk_size import Pace
from .document_checks import mapping_conflict
from .index_copies import Copies
from .index_creation import create_behind
from .missing_indices import Absences
from .suspect_writes import Line, SuspectWrites

REFUSED: Final = 400


class SearchSink:
    """Writes documents through opensearch-py. `indices` are those that routes declare, by name."""

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
        self._pace = Pace(context.settings.bulk_actions, context.settings.bulk_bytes)
        self._suspects = SuspectWrites()
        self._copies = Copies(context, observer, self._send_copies)
        self._absences = Absences()

    def absences(self, names: Collection[str]) -> Mapping[str, int]:
        """Look at indices, create what is missing where settings allow it, and return how often each was missing.

        Raises Halt, and Retry if the server cannot be asked.
        """
        _, failed = self._look(names)
        if failed:
            raise Retry(failed.summary)
        return self._absences.times(names)

    def write(self, writes: Sequence[Write], meanwhile: Meanwhile | None = None) -> list[Result]:
        """See Sink. While a request is on its way the next is made, and what there is to do `meanwhile` with the
        last: it may not be done at all."""
        targets, failed = self._look({write.target for write in writes})
        if failed:
            return [failed] * len(writes)
        results: dict[int, Result] = {}
        metas = {name: target.meta for name, target in targets.items()}
        lines = serialise(writes, metas, results, self._context.settings.document_bytes)
        held: list[Line] = []
        if self._suspects:
            lines = self._suspects.hold_back(lines, writes, held)
        self._send_all(self._requests(lines, meanwhile), writes, results)
        if held:
            self._send_suspects(held, writes, results)
        if self._suspects:
            self._suspects.clear(writes, results)
        if any(target.also for target in targets.values()):
            self._copy(writes, targets, results)
        return [results[position] for position in range(len(writes))]

    def _send_suspects(self, held: Sequence[Line], writes: Sequence[Write], results: dict[int, Result]) -> None:
        """Send what has failed before apart from all others, to indices that take other writes."""
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
        requests: Iterable[tuple[Chunk, Meanwhile | None]],
        writes: Sequence[Write],
        results: dict[int, Result],
    ) -> None:
        """Send requests, until PATIENCE of them in a row bring nothing: each could take its whole time-out."""
        silent = 0
        for chunk, beside in requests:
            if silent == PATIENCE:
                results.update(dict.fromkeys(chunk.positions, NOT_SENT))
                continue
            self._send(chunk, writes, results, beside)
            silent = 0 if any(results[p].outcome.done for p in chunk.positions) else silent + 1

    def _requests(
        self, lines: Iterable[tuple[int, bytes]], meanwhile: Meanwhile | None
    ) -> Iterator[tuple[Chunk, Meanwhile | None]]:
        """The requests, each at the pace at which it is sent, and what there is to do beside it."""
        made = Ahead(chunks(lines, self._pace))
        for chunk in made:
            *first, last = chunk.parts(self._pace)
            yield from ((part, None) for part in first)
            yield last, made.prepare if chunk.more else meanwhile

    def _look(self, names: Collection[str]) -> tuple[dict[str, Target], Result | None]:
        """Return the indices as they were seen lately, or the result of every write if they cannot be seen.

        Raises Halt.
        """
        try:
            return self._targets.find(names, self._find_or_create), None
        except Exception as error:
            return {}, replace(result_of_error(error), status=None, shared=True)  # no document is to blame

    def _find_or_create(self, names: Sequence[str]) -> dict[str, Target]:
        """Return indices as they are. What is missing is created, where settings allow it.

        Raises Halt where that is refused, and what opensearch-py raises.
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
        """Write to the copies, too; the aliases are looked at again before a record is retried."""
        if self._context.out_of_time():  # they are redelivered, and so are their copies
            copied = [p for p, write in enumerate(writes) if targets[write.target].also]
            results.update(dict.fromkeys(copied, OUT_OF_TIME))
            return
        for position, retried in self._copies.write(writes, targets, results):
            results[position] = retried
            self._targets.forget(writes[position].target)

    def _send_copies(self, writes: Sequence[Write], metas: Mapping[str, Mapping[str, Any]]) -> dict[int, Result]:
        """Send writes to a copy; `metas` is what an action says of it. Return the results by position."""
        results: dict[int, Result] = {}
        lines = serialise(writes, metas, results, self._context.settings.document_bytes)
        self._send_all(self._requests(lines, None), writes, results)
        return results

    def _send(
        self, chunk: Chunk, writes: Sequence[Write], results: dict[int, Result], beside: Meanwhile | None = None
    ) -> None:
        """Sends a request, in parts where it is refused whole: one action may be what sank them all.

        Where a prompt answer says nothing of the request but that it failed, its halves follow at once. Else its
        actions are suspects, which are sent apart with the next try.
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
        """Looks for the action that makes the server fail, for as long as there is a half that does not."""
        halves = chunk.halves()
        refused = [self._request(half, writes, results) for half in halves]
        for half, failed, other in zip(halves, refused, reversed(refused), strict=True):
            if failed is None:
                continue
            if other is None and len(half.positions) > 1:
                self._find(half, writes, results)
            self._suspects.add(half, failed, writes, results)

    def _request(
        self, chunk: Chunk, writes: Sequence[Write], results: dict[int, Result], beside: Meanwhile | None = None
    ) -> Result | None:
        """Sends one request and takes down how each action ended; the result of all where it was refused whole."""
        self._context.check()
        if self._context.out_of_time():
            results.update(dict.fromkeys(chunk.positions, OUT_OF_TIME))
            return OUT_OF_TIME
        cut_short = time_left() < request_time(self._context.settings.search_timeout) / 2
        try:
            entries = entries_in(self._post(chunk, beside), len(chunk.positions))
        except Exception as error:
            refused = self._learn(result_of_error(error), chunk)
            if refused.status == NO_ANSWER and cut_short:  # it had no time to answer
                refused = OUT_OF_TIME
            results.update(dict.fromkeys(chunk.positions, refused))
            return refused
        if isinstance(entries, Done):  # a delete of what was not there too
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

    def _post(self, chunk: Chunk, beside: Meanwhile | None) -> Any:
        """Sends a request, and tells how it went. Raises what opensearch-py raises."""
        search, body = self._context.search, chunk.body
        with self._observer.request("search", len(chunk.positions), chunk.size, _status_of) as watch:

            def send() -> Any:
                with watch:
                    return search.bulk(body=body)

            return Sent(send, beside).answer() if beside else send()

    def _learn(self, refused: Result, chunk: Chunk) -> Result:
        """The same result, once it is taken into account for what comes."""
        if refused.outcome is Outcome.RETRY:
            self._targets.forget()  # what comes back may be another server
            if len(chunk.positions) > 1:
                self._pace.busy()  # smaller requests may get through
        if refused.status == TOO_LARGE:
            self._pace.too_large(chunk.size)
        return refused


def note_creations(
    chunk: Chunk, entries: Sequence[Any], writes: Sequence[Write], results: dict[int, Result]
) -> None:
    """Tell which documents the index did not have, if their records came unordered. No other entry is read."""
    unordered = [at for at, position in enumerate(chunk.positions) if not writes[position].record.ordered]
    for at in unordered:
        if is_creation(entries[at]) and results[chunk.positions[at]] == APPLIED:
            results[chunk.positions[at]] = DOCUMENT_CREATED


def explained(result: Result, write: Write) -> Result:
    """The same, with a mapping conflict said in words."""
    if result.outcome is not Outcome.REJECTED or not isinstance(write.action, Index):
        return result
    words = mapping_conflict(result.reason, write.action.document)
    return replace(result, reason=f"index {write.target}: {words}", told=None) if words else result


def _status_of(error: Exception) -> int | None:
    """The status of an answer; a connection error has a text in its place."""
    found = getattr(error, "status_code", None)
    return found if isinstance(found, int) else None
