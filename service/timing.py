"""Time and chance, injected wherever something waits: a test has its own."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition
from typing import Final

RETENTION: Final = 24 * 3600.0
"""Seconds that a stream keeps its records ("DynamoDB Streams", Amazon DynamoDB Developer Guide)."""


def wait_for(condition: Condition, seconds: float) -> None:
    condition.wait(seconds)


@dataclass(frozen=True)
class Timing:
    """The clock of pauses, the time of day in Unix seconds, how to wait, and chance."""

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    wait: Callable[[Condition, float], None] = wait_for
    chance: Callable[[], float] = random.random


REAL: Final = Timing()
