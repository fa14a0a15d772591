"""A poller's lease in a table, with a manual clock, manual heartbeats and prepared faults of the table."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from service.checkpoints.lease import TableLease
from service.timing import Timing

SECONDS = 30.0


class Poller:
    """A lease with a manual clock and manual heartbeats."""

    def __init__(self, dynamodb: Any, owner: str, group: str = "g"):
        self.now = 0.0
        timing = Timing(lambda: self.now, lambda: 1.0, self._wait, lambda: 0.5)
        self.lease = TableLease(dynamodb, "positions", group, SECONDS, timing, owner)

    def _wait(self, condition: Any, seconds: float) -> None:
        self.now += seconds

    def beat(self, after: float = 0.0) -> int:
        self.now += after
        self.lease.beat()
        return self.lease.token()

    def meets(self, *troubles: Exception | str) -> list[float]:
        """Set the results of the next writes to the table. Return a list that collects the times of all writes.

        A result is an error, "passed", or "unanswered" (the write succeeds, but the response is lost).
        """
        dynamodb, left, times = self.lease._dynamodb, list(troubles), []

        def update_item(**arguments: Any) -> Any:
            times.append(self.now)
            trouble = left.pop(0) if left else "passed"
            if isinstance(trouble, Exception):
                raise trouble
            answer = dynamodb.update_item(**arguments)
            if trouble == "unanswered":
                raise ConnectionError("reset")
            return answer

        self.lease._dynamodb = SimpleNamespace(
            get_item=dynamodb.get_item, update_item=update_item, exceptions=dynamodb.exceptions
        )
        return times
