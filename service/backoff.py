"""The exponential backoff formula that all retries share."""

from __future__ import annotations

from typing import Final

MOST_DOUBLINGS: Final = 64
"""More doublings exceed any cap, and a float overflows after 1,023."""


def backoff(attempt: int, base: float, cap: float) -> float:
    """Return `base` seconds, doubled `attempt` times, at most `cap` seconds.

    This is the capped exponential backoff of "Exponential Backoff And Jitter" (AWS Architecture Blog). The caller
    adds the jitter.
    """
    return min(base * 2.0 ** min(attempt, MOST_DOUBLINGS), cap)
