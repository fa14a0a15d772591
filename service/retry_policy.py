"""Retries: how long to wait after a failure, and for how long to try again.

The dispatcher, shards, partitions, queues and the lease all use this module.
"""

from __future__ import annotations

import itertools
import logging
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event
from typing import Final

from .deadline import RESERVE

logger = logging.getLogger(__name__)

MOST_DOUBLINGS: Final = 64
"""More doublings exceed any cap, and a float overflows after 1,023."""

LONGEST: Final = 30.0
"""The longest pause of a source, in seconds."""


def backoff(attempt: int, base: float, cap: float) -> float:
    """Return `base` seconds, doubled `attempt` times, at most `cap` seconds.

    This is the capped exponential backoff of "Exponential Backoff And Jitter" (AWS Architecture Blog).
    """
    return min(base * 2.0 ** min(attempt, MOST_DOUBLINGS), cap)


@dataclass(frozen=True)
class RetryPolicy:
    """Capped exponential backoff with full jitter.

    `most` is the total time for all tries in seconds. The backoff grows from `shortest` to `longest` seconds, and
    a pause is a random part of it.
    """

    most: float = math.inf
    shortest: float = 0.1
    longest: float = 10.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def pause_after(self, failures: int) -> float:
        """Return the seconds to wait after so many consecutive failures, at least a tenth of `shortest`."""
        return max(self.chance() * backoff(failures - 1, self.shortest, self.longest), self.shortest / 10)

    def pauses(self, remaining: float, elapsed: float = 0.0) -> Iterator[float]:
        """Yield the pause before each further try, until no try fits into the time.

        `remaining` is the time limit of the runtime in seconds. `elapsed` is the time since the first try.
        """
        end = self.clock() + min(self.most - elapsed, remaining - RESERVE)
        for failures in itertools.count(1):
            pause = self.pause_after(failures)
            if self.clock() + pause >= end:
                return
            yield pause


def log_pause(source: str, reason: str, seconds: float, halted: bool = False) -> None:
    """Log why a source waits. `halted` logs an error, because the operator must act."""
    level, event = (logging.ERROR, "halted") if halted else (logging.WARNING, "retrying")
    logger.log(level, event, extra={"source": source, "reason": reason, "after": f"{seconds:.1f} s"})


class RetryPause:
    """A pause that grows with each consecutive failure. It does not wait once `stopping` is set."""

    def __init__(self, source: str, stopping: Event, policy: RetryPolicy | None = None):
        self._source = source
        self._stopping = stopping
        self._policy = policy or RetryPolicy(longest=LONGEST)
        self._failures = 0

    def longer(self, reason: str, halted: bool = False) -> None:
        """Count a failure, log its reason, and wait."""
        self._failures += 1
        seconds = self._policy.pause_after(self._failures)
        if not self._stopping.is_set():
            log_pause(self._source, reason, seconds, halted)
        self._stopping.wait(seconds)

    def reset(self) -> None:
        """Reset the count of failures after a success."""
        self._failures = 0
