"""The container: reads streams and queues until it is stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Event

from ..bootstrap.application import App
from ..bootstrap.signals import stops
from ..bootstrap.time_settings import FOR_CONTAINERS, FOR_STREAMS, check_times
from ..commands.backfill.tasks import TaskWorker
from ..errors import SettingsError, StreamdexError
from ..pipeline import Source
from ..pipeline.workers import Worker
from ..sources.sqs.queue_source import QueueSource
from ..web.endpoints import HEALTH, make_pages
from ..web.health import Health
from ..web.server import Serving

logger = logging.getLogger(__name__)


def run(app: App, stopping: Event | None = None, started: Callable[[Sequence[Source]], None] | None = None) -> int:
    """Run until SIGTERM, SIGINT or `stopping`, then finish the current batches. Return the exit code.

    The exit code is 0 after a stop, else the code of an unexpected error, or of a halt with `on_halt=exit`.
    `started` is called with the sources. Raises SettingsError if there is nothing to read, if the port of the page
    cannot be used, and for an invalid time setting.
    """
    stopping = stopping or Event()
    check_times(app.settings, FOR_CONTAINERS)
    if app.settings.on_gap == "verify":
        from ..commands.backfill.gaps import GapRepair

        app.observer.add(GapRepair(app, app.settings.stall_after))
    sources = app.sources(stopping)
    if not sources:
        raise SettingsError(
            "nothing to read: READ_QUEUE is empty, and no route reads the stream of a table. Set READ_QUEUE, or"
            " select a route of a table and set read_streams=true"
        )
    if any(not isinstance(source, QueueSource) for source in sources):
        check_times(app.settings, FOR_STREAMS)
    with stops(stopping):
        exits, tasks = app.settings.on_halt == "exit", TaskWorker(app, app.dispatcher)
        workers = [
            Worker(source, tasks if isinstance(source, QueueSource) else app.dispatcher, stopping, exits)
            for source in sources
            for _ in range(source.workers)
        ]
        with _pages(Health(workers, app.settings.stall_after), app):
            for worker in workers:
                worker.start()
            if started:
                started(sources)
            logger.info("started reading", extra={"sources": ", ".join(source.name for source in sources)})
            while not stopping.wait(1.0):
                pass  # waits in steps, because some platforms do not interrupt a wait for a signal
            return _finish(workers, app.settings.stop_timeout)


def _pages(health: Health, app: App) -> AbstractContextManager[object]:
    """Return the server of the service's page, or a null context if page_port is 0. Raises SettingsError."""
    settings = app.settings
    if not settings.page_port:
        return nullcontext()
    return Serving(make_pages(app, health), settings.page_host, settings.page_port, HEALTH)


def _finish(workers: Sequence[Worker], timeout: float) -> int:
    """Wait at most `timeout` seconds for all current batches. Return the exit code.

    Abandoned batches are redelivered.
    """
    deadline = time.monotonic() + timeout
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
    code = 0
    for worker in workers:
        if worker.is_alive() and worker.busy_for():
            logger.warning(
                "current batch abandoned after stop_timeout; it will be redelivered", extra={"source": worker.name}
            )
        if worker.error is not None:
            code = code or _log_failure(worker.name, worker.error)
    logger.info("stopped")
    return code


def _log_failure(source: str, error: BaseException) -> int:
    if isinstance(error, StreamdexError):
        logger.error("stopped reading", extra={"source": source, "reason": str(error)})
        return error.exit_code
    logger.error("stopped reading", extra={"source": source}, exc_info=error)
    return StreamdexError.exit_code
