"""The container: reads streams and queues until it is told to stop."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Sequence
from threading import Event, Thread
from types import FrameType

from ..app import App
from ..dispatch import Dispatcher, Source
from ..errors import SettingsError, StreamdexError

logger = logging.getLogger(__name__)


class Worker(Thread):
    """Reads one source and dispatches what it gives, in a thread of its own."""

    def __init__(self, source: Source, dispatcher: Dispatcher, stopping: Event):
        super().__init__(name=source.name, daemon=True)
        self.error: BaseException | None = None
        self._source = source
        self._dispatcher = dispatcher
        self._stopping = stopping

    def run(self) -> None:
        try:
            for batch in self._source:
                batch.settle(self._dispatcher.dispatch(batch.records, batch.source))
        except BaseException as error:  # the main thread decides what it means
            self.error = error
            self._stopping.set()


def run(app: App, stopping: Event | None = None, started: Callable[[Sequence[Source]], None] | None = None) -> int:
    """Runs until SIGTERM, SIGINT or `stopping`; then finishes the batches in hand. Returns the exit code.

    0 after a stop, the error's own code when a source cannot go on. `started` is told the sources. Raises
    SettingsError when there is nothing to read.
    """
    stopping = stopping or Event()
    sources = app.sources(stopping)
    if not sources:
        raise SettingsError("nothing to read: no route has a table, and READ_QUEUE names no queue")
    previous = {number: signal.signal(number, _stops(stopping)) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        workers = [Worker(source, app.dispatcher, stopping) for source in sources]
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
