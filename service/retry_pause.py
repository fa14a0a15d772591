"""The backoff of a source after a failure."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from threading import Event
from typing import Final

from .backoff import backoff

logger = logging.getLogger(__name__)

LONGEST: Final = 30.0
"""The longest backoff, in seconds."""


def pause_after(failures: int, shortest: float, chance: Callable[[], float]) -> float:
    """Return the seconds to wait after so many consecutive failures, at least `shortest`, with full jitter."""
    return shortest + chance() * (backoff(failures, shortest, LONGEST) - shortest)


def log_pause(source: str, reason: str, seconds: float, halted: bool = False) -> None:
    """Log why a source waits. `halted` logs an error, because the operator must act."""
    level, event = (logging.ERROR, "halted") if halted else (logging.WARNING, "retrying")
    logger.log(level, event, extra={"source": source, "reason": reason, "after": f"{seconds:.1f} s"})


class RetryPause:
    """A backoff that grows with each consecutive failure. It does not wait once `stopping` is set."""

    def __init__(
        self, source: str, stopping: Event, shortest: float = 0.1, chance: Callable[[], float] = random.random
    ):
        self._source = source
        self._stopping = stopping
        self._shortest = shortest
        self._chance = chance
        self._failures = 0

    def longer(self, reason: str, halted: bool = False) -> None:
        """Count a failure, log its reason, and wait."""
        self._failures += 1
        seconds = pause_after(self._failures, self._shortest, self._chance)
        if not self._stopping.is_set():
            log_pause(self._source, reason, seconds, halted)
        self._stopping.wait(seconds)

    def reset(self) -> None:
        """Reset the count of failures after a success."""
        self._failures = 0
