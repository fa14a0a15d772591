"""The pause before something that failed is tried again."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from threading import Event
from typing import Final

from .backoff import backoff

logger = logging.getLogger(__name__)

LONGEST: Final = 30.0
"""Seconds."""


def pause_after(failures: int, shortest: float, chance: Callable[[], float]) -> float:
    """Return the seconds to wait after so many failures in a row, with full jitter."""
    return shortest + chance() * (backoff(failures, shortest, LONGEST) - shortest)


def log_pause(source: str, reason: str, seconds: float, halted: bool = False) -> None:
    """Logs why a source waits. `halted` is for what somebody has to mend."""
    level, event = (logging.ERROR, "halted") if halted else (logging.WARNING, "trying again")
    logger.log(level, event, extra={"source": source, "reason": reason, "after": f"{seconds:.1f} s"})


class RetryPause:
    """Waits longer after each failure in a row, and not at all once `stopping` is set."""

    def __init__(
        self, source: str, stopping: Event, shortest: float = 0.1, chance: Callable[[], float] = random.random
    ):
        self._source = source
        self._stopping = stopping
        self._shortest = shortest
        self._chance = chance
        self._failures = 0

    def longer(self, reason: str, halted: bool = False) -> None:
        """Says why, and waits."""
        self._failures += 1
        seconds = pause_after(self._failures, self._shortest, self._chance)
        if not self._stopping.is_set():
            log_pause(self._source, reason, seconds, halted)
        self._stopping.wait(seconds)

    def reset(self) -> None:
        """What failed has worked."""
        self._failures = 0
