"""Run the container in this process, with its page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from deployments import DEADLINE

from service.bootstrap.application import App
from service.pipeline.workers import Worker
from service.web.endpoints import make_pages
from service.web.health import Health
from service.web.server import Serving


@contextmanager
def serving(app: App) -> Iterator[str]:
    """Run the container in this process. Yield the address of its page."""
    stopping = Event()
    workers = [
        Worker(source, app.dispatcher, stopping) for source in app.sources(stopping) for _ in range(source.workers)
    ]
    with Serving(make_pages(app, Health(workers, 300.0)), "127.0.0.1", 0) as served:
        for worker in workers:
            worker.start()
        try:
            yield f"http://127.0.0.1:{served.port}"
        finally:
            stopping.set()
            for worker in workers:
                worker.join(DEADLINE)
