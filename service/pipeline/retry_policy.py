"""How long a batch tries again what may succeed later, before it is left to its source."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..backoff import backoff
from ..context import RESERVE


@dataclass(frozen=True)
class Patience:
    """Exponential pauses with full jitter ("Exponential Backoff And Jitter", AWS Architecture Blog).

    `most` is the time in seconds for all tries together, `shortest` and `longest` bound one pause.
    """

    most: float
    shortest: float = 0.1
    longest: float = 10.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def pauses(self, remaining: float) -> Iterator[float]:
        """Return the seconds to wait before each further try; they end when the next would come too late.

        The time runs from this call. `remaining` is what the runtime leaves, in seconds.
        """
        return self._until(self.clock() + min(self.most, remaining - RESERVE))

    def _until(self, deadline: float) -> Iterator[float]:
        for attempt in itertools.count():
            ceiling = backoff(attempt, self.shortest, self.longest)
            pause = max(self.chance() * ceiling, self.shortest / 10)
            if self.clock() + pause >= deadline:
                return
            yield pause
