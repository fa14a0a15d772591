"""The container: reads streams and queues until it is told to stop."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Event, Thread
from types import FrameType
from typing import Final

from ..app import App
from ..dispatch import Batch, Dispatcher, Source
from ..errors import Halt, SettingsError, StreamdexError, Unreachable
from ..sources.pauses import Pause

logger = logging.getLogger(__name__)


FIRST_PAUSE: Final = 1.0
"""Seconds, about, after the first halt; later ones are longer."""


class Worker(Thread):
    """Reads one source and dispatches what it gives, in a thread of its own.

    Where every record would fail, or what is needed does not answer, only this source stands still: the batch in
    hand is tried again after growing pauses, and a queue is not asked for more. With `exits` it ends the service.
    """

    def __init__(self, source: Source, dispatcher: Dispatcher, stopping: Event, exits: bool = False):
        super().__init__(name=source.name, daemon=True)
        self.error: BaseException | None = None
        self._source = source
        self._dispatcher = dispatcher
        self._stopping = stopping
        self._exits = exits
        self._pause = Pause(source.name, stopping, FIRST_PAUSE)

    def run(self) -> None:
        try:
            self._persist(self._read)
        except BaseException as error:  # the main thread decides what it means
            self.error = error
            self._stopping.set()

    def _read(self) -> None:
        for batch in self._source:
            self._persist(partial(self._deliver, batch))

    def _deliver(self, batch: Batch) -> None:
        report = self._dispatcher.dispatch(batch.records, batch.source, within=batch.time_left())
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
                self._pause.longer(str(error), halted=True)


def run(app: App, stopping: Event | None = None, started: Callable[[Sequence[Source]], None] | None = None) -> int:
    """Runs until SIGTERM, SIGINT or `stopping`; then finishes the batches in hand. Returns the exit code.

    0 after a stop; the code of the error with the setting `on_halt=exit`, or of one that nobody foresaw. `started`
    is told the sources. Raises SettingsError when there is nothing to read.
    """
    stopping = stopping or Event()
    sources = app.sources(stopping)
    if not sources:
        raise SettingsError("nothing to read: no route has a table, and READ_QUEUE names no queue")
    previous = {number: signal.signal(number, _stops(stopping)) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        exits = app.settings.on_halt == "exit"
        workers = [
            Worker(source, app.dispatcher, stopping, exits) for source in sources for _ in range(source.workers)
        ]
        for worker in workers:
            worker.start()
        if started:
            started(sources)
        logger.info("reading", extra={"sources": ", ".join(source.name for source in sources)})
        while not stopping.wait(1.0):
            pass  # in steps, so that a signal is noticed on every platform
        return _finish(workers, app.settings.stop_timeout)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _stops(stopping: Event) -> Callable[[int, FrameType | None], None]:
    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    return stop


def _finish(workers: Sequence[Worker], timeout: float) -> int:
    """Waits for the batches in hand, `timeout` seconds at most in all; what is abandoned comes again."""
    deadline = time.monotonic() + timeout
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
    code = 0
    for worker in workers:
        if worker.is_alive():
            logger.warning("abandoned the batch in hand: it comes again", extra={"source": worker.name})
        if worker.error is not None:
            code = code or _tell(worker.name, worker.error)
    logger.info("stopped")
    return code


def _tell(source: str, error: BaseException) -> int:
    if isinstance(error, StreamdexError):
        logger.error("stopped reading", extra={"source": source, "reason": str(error)})
        return error.exit_code
    logger.error("stopped reading", extra={"source": source}, exc_info=error)
    return StreamdexError.exit_code
