"""Redrive: deliver dead letters, or the messages of a dead-letter queue, to their routes again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ...errors import Halt, StreamdexError, Unreachable
from ...pipeline import Batch, Delivery, Dispatcher, Outcome, Report, Result
from ...sinks.dead_letters import ReadableDeadLetterStore, StoredDeadLetter
from ...sinks.dead_letters.dead_letter import portable
from .selection import Filter, records_of

REDRIVEN: Final = "dead letters"
"""The source name of redriven records. It is a single name because metrics use it as a label."""

AT_ONCE: Final = 100
BYTES: Final = 8 * 1024 * 1024
"""The limits of a batch: number of dead letters, and bytes of JSON."""


_REMOVED: Final = ("applied", "stale", "skipped")
"""The outcomes after which a dead letter is removed."""


@dataclass
class Redriven:
    """The number of dead letters by outcome. `stopped` is the error that ended the redrive early, or None."""

    ends: Counter[str] = field(default_factory=Counter)
    stopped: StreamdexError | None = None

    @property
    def complete(self) -> bool:
        """True if every selected dead letter was delivered and removed."""
        return self.stopped is None and not self.staying

    @property
    def staying(self) -> int:
        """Return the number of dead letters that were delivered and stay."""
        return sum(count for end, count in self.ends.items() if end not in _REMOVED)


def redrive(
    store: ReadableDeadLetterStore, which: Filter, dispatcher_of: Callable[[str], Dispatcher | None]
) -> Redriven:
    """Deliver dead letters to the current code of the route that failed, and remove those that succeed.

    The current state of each item is read, so an old dead letter never overwrites newer data, however often it is
    delivered. A dead letter that is rejected again, or may succeed later, stays. If every dead letter of a batch
    fails, the redrive ends, because the others would probably fail too.
    """
    redriven = Redriven()
    dispatchers: dict[str, Dispatcher | None] = {}
    try:
        with store.claim(which.letter) as found:
            for batch in _batches(dead_letter for dead_letter in found if which.takes(dead_letter)):
                for route in {dead_letter.route for dead_letter in batch} - set(dispatchers):
                    dispatchers[route] = dispatcher_of(route)
                _redrive(store, batch, dispatchers, redriven.ends)
    except (Halt, Unreachable) as error:
        redriven.stopped = error
    return redriven


def _batches(dead_letters: Iterable[StoredDeadLetter]) -> Iterator[list[StoredDeadLetter]]:
    batch: list[StoredDeadLetter] = []
    size = 0
    for dead_letter in dead_letters:
        batch.append(dead_letter)
        size += len(portable(dead_letter.record, layout=0))
        if len(batch) >= AT_ONCE or size >= BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _redrive(
    store: ReadableDeadLetterStore,
    dead_letters: Sequence[StoredDeadLetter],
    dispatchers: dict[str, Dispatcher | None],
    ends: Counter[str],
) -> None:
    """Deliver a batch, one route after the other. Raises Halt, and Unreachable if no record reached a server."""
    results: list[Result] = []
    for route in dict.fromkeys(dead_letter.route for dead_letter in dead_letters):
        dispatcher = dispatchers[route]
        of_route = [dead_letter for dead_letter in dead_letters if dead_letter.route == route]
        if dispatcher is None:
            ends[f"kept: no route {route} is registered"] += len(of_route)
            continue
        records = [(dead_letter, list(records_of(dead_letter))) for dead_letter in of_route]
        report = _deliver(dispatcher, Delivery([record for _, some in records for record in some], REDRIVEN))
        rest = iter(report.results)
        for dead_letter, some in records:
            its_results = [next(rest) for _ in some]
            results += its_results
            ends[_settle(store, dead_letter, its_results)] += 1
    _stop_if_all_failed(results)


def _settle(store: ReadableDeadLetterStore, dead_letter: StoredDeadLetter, results: Sequence[Result]) -> str:
    """Remove a dead letter that succeeded, and return its outcome as text."""
    lost = next((result.reason for result in results if result.unrouted), "")
    if lost:  # `names` or a pattern has changed; the dead letter is the only copy of the record
        return f"kept: {lost}"
    worst = min((result.outcome for result in results), default=Outcome.SKIPPED)
    if worst.done and worst is not Outcome.REJECTED:
        store.remove(dead_letter)
    return worst.name.lower()


def redrive_queue(messages: Iterable[Batch], dispatcher: Dispatcher) -> Redriven:
    """Deliver the messages of a dead-letter queue to their routes, and delete those that are finished.

    `dispatcher` re-reads the current state of each record. A rejected record becomes a dead letter, and its
    message is deleted. A message that may succeed later stays in the queue. The redrive ends when all records of a
    batch fail, or when a batch has only messages that were delivered before.
    """
    redriven = Redriven()
    seen: set[str] = set()
    try:
        for batch in messages:
            names = {record.identifier for record in batch.delivery.records}
            if names and names <= seen:
                break
            seen |= names
            report = _deliver(dispatcher, batch.delivery)
            results = [_retried(result) if result.unrouted else result for result in report.results]
            batch.settle(Report(results))
            redriven.ends.update(
                result.reason if result.outcome is Outcome.RETRY else result.outcome.name.lower()
                for result in results
            )
            _stop_if_all_failed(report.results)
    except (Halt, Unreachable) as error:
        redriven.stopped = error
    return redriven


def _deliver(dispatcher: Dispatcher, delivery: Delivery) -> Report:
    """Try each record once. If at least one reached a server, retry the failed ones."""
    report = dispatcher.run(replace(delivery, retry_time=0))
    if not report.undone or not any(map(_reached, report.results)):
        return report
    results = list(report.results)
    failed = [delivery.records[position] for position in report.undone]
    again = dispatcher.run(replace(delivery, records=failed))
    for position, result in zip(report.undone, again.results, strict=True):
        results[position] = result
    return Report(results)


def _stop_if_all_failed(results: Sequence[Result]) -> None:
    """End a redrive whose records all fail.

    Raises Unreachable if a record may succeed later and no record was written or refused by a server.
    """
    failed = [result for result in results if not result.outcome.done]
    if failed and not any(map(_reached, results)):
        raise Unreachable(f"every record of a batch failed and may succeed later: {failed[0].summary}")


def _reached(result: Result) -> bool:
    """True if a server has executed or refused the write of the record."""
    refused = result.outcome is Outcome.REJECTED and result.status is not None
    return refused or result.outcome in (Outcome.APPLIED, Outcome.STALE)


def _retried(result: Result) -> Result:
    """Return a RETRY result for a record without a route, so that its message, the only copy, stays."""
    return Result(Outcome.RETRY, f"kept: {result.reason}")
