"""Clocks, waiting and randomness. They are injected, so that tests can replace them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition
from typing import Final

RETENTION: Final = 24 * 3600.0
"""Seconds that a DynamoDB stream keeps its records ("DynamoDB Streams", Amazon DynamoDB Developer Guide)."""


def wait_for(condition: Condition, seconds: float) -> None:
    condition.wait(seconds)


@dataclass(frozen=True)
class Timing:
    """A monotonic clock in seconds, the time in Unix seconds, a wait on a condition, and random numbers."""

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    wait: Callable[[Condition, float], None] = wait_for
    chance: Callable[[], float] = random.random


REAL: Final = Timing()
