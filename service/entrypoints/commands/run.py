"""`run`: the container."""

from __future__ import annotations

from ...app import App
from ...choice import Chosen
from .command import Command


def run_container(chosen: Chosen) -> int:
    from ..container import run

    with App(chosen.settings, chosen.routes, recording=True) as app:
        return run(app)


COMMAND = Command(
    run_container,
    "read the streams of the routes' tables and the queues of READ_QUEUE, until stopped",
    example="--read-queue=uploads --search-url=http://127.0.0.1:9200",
)
