"""An invocation of a Lambda whose time comes to its end."""

from __future__ import annotations

from typing import Any

from service import Context


class Countdown:
    """A Lambda's context with so many seconds `left`; whatever takes time in a test spends some."""

    aws_request_id = "r-1"

    def __init__(self, left: float):
        self.left = left

    def spend(self, seconds: float) -> None:
        self.left = max(self.left - seconds, 0.0)

    def get_remaining_time_in_millis(self) -> float:
        return self.left * 1000


def no_time_left(**clients: Any) -> Context:
    """A context within an invocation that is about to be cut off."""
    return Context(parent=Countdown(0.05), **clients)
