"""Runs a recording through the routes, as if its records came from their sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

from ..dispatch import Dispatcher, Report
from ..errors import Unreachable
from ..sources.recording import Recording


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


def replay(recordings: Iterable[Recording], dispatcher: Dispatcher) -> Replayed:
    """Dispatches every record of each recording once. Replaying again is safe: versions keep whatever is newer.

    Raises Unreachable when what may succeed later still failed after the setting `retry_time`, and Halt.
    """
    replayed = Replayed()
    for batch in chain.from_iterable(recordings):
        report = dispatcher.dispatch(batch.records, batch.source)
        replayed.add(Report([result for result in report.results if result.outcome.done]))
        if report.undone:
            reason = report.results[report.undone[0]].reason
            raise Unreachable(
                f"{len(report.undone)} records could not be written ({reason});"
                f" {replayed.records} are done: replay again later"
            )
    return replayed
