"""Rate limit of table reads: within the allowed read units, and lower while the table is throttled."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Final

SLOWER: Final = 0.5
FASTER: Final = 1.05
SLOWEST: Final = 1.0
"""Read capacity units per second."""


class ReadPace:
    """Rate limit that threads share. `limit` is in read capacity units per second; 0 for no limit."""

    def __init__(
        self,
        limit: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ):
        self._limit = limit
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()
        self._rate = limit
        self._free_at = self._began = clock()
        self._spent = 0.0

    @property
    def rate(self) -> float:
        """The current maximum in units per second; 0 for no limit."""
        return self._rate

    def wait(self) -> None:
        """Wait until the next page may be read."""
        pause = self._free_at - self._clock()
        if pause > 0:
            self._sleep(pause)

    def spent(self, units: float) -> None:
        """Record the cost of a page. The next page waits until the rate allows it."""
        with self._lock:
            now = self._clock()
            self._spent += units
            if not self._rate:
                return
            self._free_at = max(self._free_at, now) + units / self._rate
            grown = self._rate * FASTER
            self._rate = min(grown, self._limit) if self._limit else grown

    def throttled(self) -> None:
        """Halve the rate after throttling. It grows again slowly."""
        with self._lock:
            seconds = max(self._clock() - self._began, 1.0)
            self._rate = max((self._rate or self._spent / seconds) * SLOWER, SLOWEST)
