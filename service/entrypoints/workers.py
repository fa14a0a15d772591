"""A thread that reads a source and dispatches what it gives."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from threading import Event, Thread
from typing import Final

from ..context import Context
from ..dispatch import Batch, Dispatches, Source
from ..errors import Halt, LeaseLost, Unreachable
from ..sources.pauses import Pause

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 1.0
"""Seconds, about, after the first halt; later ones are longer."""


class Worker(Thread):
    """Reads one source and dispatches what it gives, in a thread of its own.

    Where every record would fail, or what is needed does not answer, only this source stands still: the batch in
    hand is tried again after growing pauses, and a queue is not asked for more. With `exits` it ends the service.
    """

    def __init__(
        self,
        source: Source,
        dispatcher: Dispatches,
        context: Context,
        stopping: Event,
        exits: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__(name=source.name, daemon=True)
        self.source = source
        self.error: BaseException | None = None
        self.halted = ""
        self._dispatcher = dispatcher
        self._context = context
        self._stopping = stopping
        self._exits = exits
        self._clock = clock
        self._pause = Pause(source.name, stopping, FIRST_PAUSE)
        self._busy_since: float | None = None

    def run(self) -> None:
        try:
            self._persist(self._read)
        except BaseException as error:  # the main thread decides what it means
            self.error = error
            self._stopping.set()

    def busy_for(self) -> float:
        """Seconds since the batch in hand was last tried; 0 without one."""
        since = self._busy_since
        return 0.0 if since is None else self._clock() - since

    def _read(self) -> None:
        for batch in self.source:
            try:
                self._persist(partial(self._deliver, batch))
            except LeaseLost as lost:
                logger.warning("batch left to another", extra={"source": self.name, "reason": str(lost)})
            self._busy_since, self.halted = None, ""
            del batch  # its records are not kept while the source waits for more

    def _deliver(self, batch: Batch) -> None:
        self._busy_since = self._clock()
        with self._context.guarded(batch.check):
            report = self._dispatcher.dispatch(
                batch.records, batch.source, within=batch.time_left(), meanwhile=batch.read_ahead
            )
        batch.settle(report)
        self._pause.reset()

    def _persist(self, work: Callable[[], None]) -> None:
        """Does the work, from its beginning again for as long as it halts."""
        while not self._stopping.is_set():
            try:
                work()
                break
            except (Halt, Unreachable) as error:
                if self._exits:
                    raise
                if self._busy_since is not None:  # else it is the source that says what troubles it
                    self.halted = str(error)
                self._pause.longer(str(error), halted=True)
