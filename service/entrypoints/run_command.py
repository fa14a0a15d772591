"""The command `run`, which starts the container."""

from __future__ import annotations

from ..bootstrap.application import App
from ..bootstrap.selection import Chosen
from ..commands.command import Command


def run_container(chosen: Chosen) -> int:
    from .container import run

    with App(chosen.settings, chosen.routes, recording=True) as app:
        return run(app)


COMMAND = Command(
    run_container,
    "read the streams of the routes' tables and the queues of READ_QUEUE, until stopped",
    example="--read-queue=uploads --search-url=http://127.0.0.1:9200",
)
