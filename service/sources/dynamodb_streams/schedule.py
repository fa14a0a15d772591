"""Schedule: jobs that several threads take one by one, each when it is due."""

from __future__ import annotations

import heapq
import itertools
import math
from threading import Condition, Event
from typing import Final, Generic, TypeVar

from ...timing import REAL, Timing

T = TypeVar("T")

LONGEST_WAIT: Final = 0.5
"""Maximum seconds for which a waiting thread does not check `stopping`."""


class Schedule(Generic[T]):
    """A queue of jobs with due times. A job that was taken belongs to its thread until it is put back."""

    def __init__(self, stopping: Event, timing: Timing = REAL):
        self._stopping = stopping
        self._clock = timing.clock
        self._wait = timing.wait
        self._changed = Condition()
        self._numbers = itertools.count()
        self._due: list[tuple[float, int, T]] = []

    def put_first(self, job: T) -> None:
        """Put the job before all others."""
        self.put(job, -math.inf)

    def is_due(self) -> bool:
        """True if a job can be taken now."""
        with self._changed:
            return bool(self._due) and self._due[0][0] <= self._clock()

    def put(self, job: T, delay: float = 0.0) -> None:
        """Add a job that is due after `delay` seconds."""
        with self._changed:
            heapq.heappush(self._due, (self._clock() + delay, next(self._numbers), job))
            self._changed.notify()

    def hasten(self, job: T, delay: float) -> None:
        """Make a waiting job due after at most `delay` seconds."""
        with self._changed:
            at = self._clock() + delay
            self._due = [
                (min(due, at) if other is job else due, number, other) for due, number, other in self._due
            ]
            heapq.heapify(self._due)
            self._changed.notify()

    def take(self) -> T | None:
        """Wait for the next due job and return it; None once `stopping` is set."""
        with self._changed:
            while not self._stopping.is_set():
                rest = self._due[0][0] - self._clock() if self._due else LONGEST_WAIT
                if self._due and rest <= 0:
                    return heapq.heappop(self._due)[2]
                self._wait(self._changed, min(rest, LONGEST_WAIT))
            self._changed.notify_all()  # wake the other threads at once
        return None
