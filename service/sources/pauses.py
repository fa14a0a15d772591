"""The pause before something that failed is tried again."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from threading import Event
from typing import Final

logger = logging.getLogger(__name__)

LONGEST: Final = 30.0
"""Seconds."""


class Pause:
    """Waits longer after each failure in a row, with full jitter, and not at all once `stopping` is set."""

    def __init__(self, stopping: Event, shortest: float, chance: Callable[[], float] = random.random):
        self._stopping = stopping
        self._shortest = max(shortest, 0.1)
        self._chance = chance
        self._failures = 0

    def longer(self, reason: str, halted: bool = False) -> None:
        """Says why, and waits. `halted` is for what somebody has to mend."""
        self._failures += 1
        most = min(self._shortest * 2**self._failures, LONGEST)
        seconds = self._shortest + self._chance() * (most - self._shortest)
        if not self._stopping.is_set():
            level, event = (logging.ERROR, "halted") if halted else (logging.WARNING, "trying again")
            logger.log(level, event, extra={"reason": reason, "after": f"{seconds:.1f} s"})
        self._stopping.wait(seconds)

    def reset(self) -> None:
        """What failed has worked."""
        self._failures = 0
