"""Extend the visibility timeout of messages in progress, so that no other consumer receives them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Any

from ...pipeline.error_outcomes import describe

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Hold:
    """The receipt handles of a batch, and the time when its messages become visible unless it is extended."""

    handles: Sequence[str]
    until: float
    clock: Callable[[], float]

    def time_left(self) -> float:
        return self.until - self.clock()


class Visibility(Thread):
    """Extend the visibility timeout of held messages, by the queue's own timeout in `seconds` each time.

    The thread runs until `stopping` is set; messages still in progress are then redelivered after their timeout.
    If an extension fails, two consumers may process the message, which versions make safe.
    """

    def __init__(
        self,
        sqs: Any,
        url: str,
        seconds: float,
        stopping: Event,
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__(name=f"visibility of {url.rpartition('/')[2]}", daemon=True)
        self._sqs = sqs
        self._url = url
        self._seconds = seconds
        self._stopping = stopping
        self._clock = clock
        self._lock = Lock()
        self._held: set[Hold] = set()

    def hold(self, handles: Sequence[str], since: float) -> Hold:
        """Hold messages; `since` is the clock time of their receive request."""
        hold = Hold(handles, since + self._seconds, self._clock)
        with self._lock:
            self._held.add(hold)
        return hold

    def release(self, hold: Hold) -> None:
        with self._lock:
            self._held.discard(hold)

    def run(self) -> None:
        while not self._stopping.wait(self._seconds / 3):
            self.put_off()

    def put_off(self) -> None:
        """Extend the visibility timeout of all held messages. A failed batch does not affect the others."""
        with self._lock:
            held = list(self._held)
        for hold in held:
            try:
                self._put_off(hold)
            except Exception as error:
                logger.warning(
                    "could not extend the visibility timeout; another consumer may receive the messages",
                    extra={"queue": self._url, "reason": describe(error)},
                )

    def _put_off(self, hold: Hold) -> None:
        """Extend one batch. Raises what boto3 raises, and any error for an answer of another shape."""
        now = self._clock()
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": int(self._seconds)}
            for number, handle in enumerate(hold.handles)
        ]
        answer = self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
        if not answer.get("Failed"):
            hold.until = now + self._seconds
