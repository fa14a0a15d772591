"""streamdex as the container, which reads the table's stream from beginning to end."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

from service.bootstrap.application import App
from service.bootstrap.selection import choose
from service.entrypoints.container import run as run_container
from service.pipeline import Dispatched, Observer

from ..application.items import Items


class Until(Observer):
    """Stop after this many records."""

    def __init__(self, records: int, stopping: Event):
        self._left = records
        self._stopping = stopping

    def dispatched(self, done: Dispatched) -> None:
        self._left -= len(done.report.results)
        if self._left <= 0:
            self._stopping.set()


def prepare(event: Path, url: str, index: str) -> Callable[[], Any]:
    """Prepare a run. The file `event` holds the address of DynamoDB and the number of records in the stream."""
    place = json.loads(event.read_bytes())

    def run() -> None:
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        environment = {
            "SEARCH_URL": url,
            "STREAMDEX_NAMES": f"index/bench={index}",
            "AWS_ENDPOINT_URL": place["aws"],
            "STREAMDEX_CHECKPOINTS": str(folder / "checkpoints.sqlite"),
            "STREAMDEX_PAGE_PORT": "0",
        }
        chosen = choose(routes=[Items], environment=environment)
        stopping = Event()
        with App(chosen.settings, chosen.routes) as app:
            app.observer.add(Until(place["records"], stopping))
            assert run_container(app, stopping) == 0
        shutil.rmtree(folder)

    return run
