"""The deadline of the work in hand. Each client asks for it before a request, so that no request outlives it.

It belongs to the current thread (`contextvars`), and is handed to a thread that works for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Deadline:
    """`left` returns the seconds until the deadline; `request` is the most that one request may take of them.

    The second is what lets a request that hangs be tried again before the deadline, with fewer documents.
    """

    left: Callable[[], float]
    request: float = math.inf


NO_DEADLINE: Final = Deadline(lambda: math.inf)
_CURRENT: Final = ContextVar("deadline", default=NO_DEADLINE)


def time_left() -> float:
    """Return the seconds until the deadline: infinite without one, negative after it."""
    return _CURRENT.get().left()


def request_time(most: float) -> float:
    """Return the seconds that a request may take that may take `most` where there is no deadline."""
    return min(most, _CURRENT.get().request)


@contextmanager
def until(deadline: Deadline) -> Iterator[None]:
    """Set the deadline of the block, in place of the one outside of it."""
    token = _CURRENT.set(deadline)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def after(seconds: float, clock: Callable[[], float] = time.monotonic) -> Deadline:
    """Return the deadline in so many seconds, or the current one if that is sooner."""
    outside, end = _CURRENT.get(), clock() + seconds
    return Deadline(lambda: min(end - clock(), outside.left()), outside.request)
