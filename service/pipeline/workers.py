"""A thread that reads a source and dispatches its batches."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from threading import Event, Thread
from typing import Final

from ..errors import Halt, LeaseLost, Unreachable
from ..retry_policy import LONGEST, RetryPause, RetryPolicy
from . import Batch, Dispatches, Source
from .error_outcomes import trail_of

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 1.0
"""Approximate delay in seconds after the first failure. Later delays are longer."""


class Worker(Thread):
    """Read one source and dispatch its batches in a thread of its own.

    If every record would fail, a server does not respond, or an unexpected error is raised, only this source
    stops. The current batch is retried with backoff, and a queue is not asked for more messages. If `exits` is
    True, such an error ends the service instead.
    """

    def __init__(
        self,
        source: Source,
        dispatcher: Dispatches,
        stopping: Event,
        exits: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__(name=source.name, daemon=True)
        self.source = source
        self.error: BaseException | None = None
        self.halted = ""
        self._dispatcher = dispatcher
        self._stopping = stopping
        self._exits = exits
        self._clock = clock
        self._pause = RetryPause(source.name, stopping, RetryPolicy(shortest=FIRST_PAUSE, longest=LONGEST))
        self._busy_since: float | None = None

    def run(self) -> None:
        try:
            self._persist(self._read)
        except BaseException as error:  # the main thread handles it
            self.error = error
            self._stopping.set()

    def busy_for(self) -> float:
        """Return the seconds since the last try of the current batch started, or 0 without a batch."""
        since = self._busy_since
        return 0.0 if since is None else self._clock() - since

    def _read(self) -> None:
        self.halted = ""
        for batch in self.source:
            self._persist(partial(self._deliver, batch))
            self._busy_since, self.halted = None, ""
            del batch  # free its records while the source waits for more

    def _deliver(self, batch: Batch) -> None:
        self._busy_since = self._clock()
        try:
            batch.settle(self._dispatcher.run(batch.delivery))
        except LeaseLost as lost:
            logger.warning("batch dropped: lease lost", extra={"source": self.name, "reason": str(lost)})
            return
        self._pause.reset()

    def _persist(self, work: Callable[[], None]) -> None:
        """Do the work, and restart it after each failure."""
        while not self._stopping.is_set():
            try:
                work()
                break
            except BaseException as error:  # a route may raise SystemExit
                if self._exits:
                    raise
                foreseen = isinstance(error, Halt | Unreachable)
                reason = str(error) if foreseen else f"unexpected {trail_of(error)}"
                if self._busy_since is not None or not foreseen:  # otherwise the source reports its own trouble
                    self.halted = reason
                logger.debug("halted", exc_info=error)
                self._pause.longer(reason, halted=True)
