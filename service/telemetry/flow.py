"""Counts of records per source and route: totals, and each second of the last minute."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from ..pipeline import Dispatched, Observer, Outcome

WINDOW: Final = 60
"""The number of past seconds that are counted separately."""

RECENT: Final = 10
"""The number of seconds over which a rate is averaged."""


@dataclass(frozen=True, slots=True)
class RouteCounts:
    """The counts of one source and route ("" for records without a route).

    `outcomes` are the records since the start by outcome, `dead_letters` the dead letters among them. `seconds`
    are the records of each second of the last minute, oldest first. `rate` is in records per second.
    """

    source: str
    route: str
    outcomes: Counter[Outcome]
    dead_letters: int
    seconds: Sequence[int]
    rate: float

    @property
    def total(self) -> int:
        return self.outcomes.total()


@dataclass(slots=True)
class _Tally:
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    dead_letters: int = 0
    by_second: Counter[int] = field(default_factory=Counter)


class Flow(Observer):
    """Count records for the page. Threads share it. A batch takes its lock once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._began = clock()
        self._lock = Lock()
        self._tallies: dict[tuple[str, str], _Tally] = {}

    def dispatched(self, done: Dispatched) -> None:
        second = int(self._clock())
        letters = Counter(letter.route for letter in done.letters)
        with self._lock:
            for (route, outcome), count in done.ends.items():
                tally = self._tallies.setdefault((done.source, route), _Tally())
                tally.outcomes[outcome] += count
                tally.by_second[second] += count
                for old in [at for at in tally.by_second if at < second - WINDOW]:
                    del tally.by_second[old]
            for route, count in letters.items():
                self._tallies.setdefault((done.source, route), _Tally()).dead_letters += count

    def counts(self) -> list[RouteCounts]:
        """Return the current counts of each source and route."""
        now = int(self._clock())
        recent = max(min(RECENT, now - int(self._began)), 1)
        with self._lock:
            return [
                _route_counts(source, route, tally, now, recent)
                for (source, route), tally in self._tallies.items()
            ]


def _route_counts(source: str, route: str, tally: _Tally, now: int, recent: int) -> RouteCounts:
    seconds = [tally.by_second[second] for second in range(now - WINDOW, now)]
    rate = sum(seconds[-recent:]) / recent
    return RouteCounts(source, route, Counter(tally.outcomes), tally.dead_letters, seconds, rate)
