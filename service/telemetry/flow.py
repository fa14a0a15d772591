"""How many records flow from which source through which route: totals, and each second of the last minute."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from ..pipeline import Dispatched, Observer, Outcome

WINDOW: Final = 60
"""Seconds that are told one by one."""

RECENT: Final = 10
"""Seconds that a rate is the mean of."""


@dataclass(frozen=True, slots=True)
class Strand:
    """The records of one source on one route ("" without one): totals since the start by outcome, dead letters
    among them, and the records of each whole second of the last minute, the oldest first."""

    source: str
    route: str
    counts: Counter[Outcome]
    letters: int
    seconds: Sequence[int]
    rate: float

    @property
    def total(self) -> int:
        return self.counts.total()


@dataclass(slots=True)
class _Tally:
    counts: Counter[Outcome] = field(default_factory=Counter)
    letters: int = 0
    by_second: Counter[int] = field(default_factory=Counter)


class Flow(Observer):
    """Counts for the page. Threads share it; a batch takes its lock once."""

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
                tally.counts[outcome] += count
                tally.by_second[second] += count
                for old in [at for at in tally.by_second if at < second - WINDOW]:
                    del tally.by_second[old]
            for route, count in letters.items():
                self._tallies.setdefault((done.source, route), _Tally()).letters += count

    def strands(self) -> list[Strand]:
        """What has flowed, as of now."""
        now = int(self._clock())
        recent = max(min(RECENT, now - int(self._began)), 1)
        with self._lock:
            return [_strand(source, route, tally, now, recent) for (source, route), tally in self._tallies.items()]


def _strand(source: str, route: str, tally: _Tally, now: int, recent: int) -> Strand:
    seconds = [tally.by_second[second] for second in range(now - WINDOW, now)]
    rate = sum(seconds[-recent:]) / recent
    return Strand(source, route, Counter(tally.counts), tally.letters, seconds, rate)
