"""The deadline of the current work. Each client reads it before a request, so that no request exceeds it.

The deadline belongs to the current thread (`contextvars`). It must be passed on to helper threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

RESERVE: Final = 3.0
"""Seconds reserved for the response and the dead letters, at most."""

SHARE: Final = 5
"""At most 1/SHARE of the time left is reserved, because a Lambda's timeout may be only three seconds."""

TRIES: Final = 3
"""Consecutive requests that may time out before a deadline."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A deadline. `left` returns the seconds until it. `request` limits the seconds of one request.

    The limit per request leaves time to retry a request that hangs, with fewer documents, before the deadline.
    """

    left: Callable[[], float]
    request: float = math.inf

    def with_reserve(self) -> Deadline:
        """Return an earlier deadline, and a limit for one request, so that time for other work remains.

        RESERVE seconds are reserved, or 1/SHARE of the time left if that is less.
        """
        left = self.left()
        if left == math.inf:
            return self
        reserve = min(RESERVE, left / SHARE)
        return Deadline(lambda: self.left() - reserve, (left - reserve) / TRIES)


NO_DEADLINE: Final = Deadline(lambda: math.inf)
_CURRENT: Final = ContextVar("deadline", default=NO_DEADLINE)


def deadline_of(invocation: Any) -> Deadline:
    """Return the deadline of an invocation, whose context may be None."""
    if invocation is None:
        return NO_DEADLINE
    return Deadline(lambda: float(invocation.get_remaining_time_in_millis()) / 1000)


def time_left() -> float:
    """Return the seconds until the deadline: infinite without one, negative after it."""
    return _CURRENT.get().left()


def out_of_time() -> bool:
    """True if no more work may start, because only the reserved time is left."""
    return _CURRENT.get().left() < 0


def request_time(most: float) -> float:
    """Return the maximum duration of one request in seconds: `most` or the deadline's limit, if that is less."""
    return min(most, _CURRENT.get().request)


@contextmanager
def until(deadline: Deadline) -> Iterator[None]:
    """Set the deadline within the block. It replaces the outer one."""
    token = _CURRENT.set(deadline)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def after(seconds: float, clock: Callable[[], float] = time.monotonic) -> Deadline:
    """Return a deadline in `seconds` seconds, or at the current deadline if that is earlier."""
    outside, end = _CURRENT.get(), clock() + seconds
    return Deadline(lambda: min(end - clock(), outside.left()), outside.request)
