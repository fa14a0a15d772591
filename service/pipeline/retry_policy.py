"""The retry policy of transient failures within a batch. After that the source redelivers the records."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..backoff import backoff
from ..deadline import RESERVE


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with full jitter ("Exponential Backoff And Jitter", AWS Architecture Blog).

    `most` is the total time for all tries in seconds. `shortest` and `longest` are the limits of one delay.
    """

    most: float
    shortest: float = 0.1
    longest: float = 10.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def pauses(self, remaining: float) -> Iterator[float]:
        """Return the delay in seconds before each further try, until no try fits into the time.

        The time starts with this call. `remaining` is the time limit of the runtime in seconds.
        """
        return self._until(self.clock() + min(self.most, remaining - RESERVE))

    def _until(self, deadline: float) -> Iterator[float]:
        for attempt in itertools.count():
            ceiling = backoff(attempt, self.shortest, self.longest)
            pause = max(self.chance() * ceiling, self.shortest / 10)
            if self.clock() + pause >= deadline:
                return
            yield pause
