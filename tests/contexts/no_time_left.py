"""A Lambda invocation shortly before its timeout."""

from __future__ import annotations

from typing import Any

from service import Context


class Countdown:
    """A Lambda context with `left` seconds. Simulated work calls `spend`."""

    aws_request_id = "r-1"

    def __init__(self, left: float):
        self.left = left

    def spend(self, seconds: float) -> None:
        self.left = max(self.left - seconds, 0.0)

    def get_remaining_time_in_millis(self) -> float:
        return self.left * 1000


def no_time_left(**clients: Any) -> Context:
    """Return a context within an invocation that is about to time out."""
    return Context(parent=Countdown(0.05), **clients)
