"""Runs a recording through the routes, as if its records came from their sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ..dispatch import Dispatcher, Report
from ..errors import Unreachable
from ..sources.recording import RecordedBatch, Recording

ATTEMPTS = 5


@dataclass
class Replayed:
    """What became of a recording: how many records had each outcome, and which had no route."""

    counts: Counter[str] = field(default_factory=Counter)
    unrouted: Counter[str] = field(default_factory=Counter)

    @property
    def records(self) -> int:
        return self.counts.total()

    def add(self, report: Report) -> None:
        self.counts.update(report.counts())
        self.unrouted.update(result.reason for result in report.results if result.unrouted)

    @property
    def complete(self) -> bool:
        """Whether every record was taken by a route and none was rejected."""
        return not self.unrouted and not self.counts["rejected"]


def replay(
    recording: Recording, dispatcher: Dispatcher, sleep: Callable[[float], None], pause: float = 1.0
) -> Replayed:
    """Dispatches every record once; what may succeed later is tried again after a pause in seconds.

    Raises Unreachable when it still fails after ATTEMPTS, and Halt. Replaying again is safe: versions keep
    whatever is newer.
    """
    replayed = Replayed()
    for batch in recording:
        _replay_batch(batch, dispatcher, replayed, sleep, pause)
    return replayed


def _replay_batch(
    batch: RecordedBatch,
    dispatcher: Dispatcher,
    replayed: Replayed,
    sleep: Callable[[float], None],
    pause: float,
) -> None:
    records = batch.records
    for attempt in range(ATTEMPTS):
        report = dispatcher.dispatch(records, batch.source)
        undone = report.undone
        replayed.add(Report([result for result in report.results if result.outcome.done]))
        if not undone:
            return
        records = [records[position] for position in undone]
        if attempt + 1 < ATTEMPTS:
            sleep(pause * 2**attempt)
    reason = report.results[undone[0]].reason
    raise Unreachable(
        f"{len(undone)} records failed {ATTEMPTS} times ({reason}); {replayed.records} are done:"
        " replay again later"
    )
