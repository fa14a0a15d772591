"""Any number of consumers on one queue that EventBridge Pipes feeds: the index ends equal to the table.

STREAMDEX_CHANGES sets the number of changes.
"""

from __future__ import annotations

import os
import random
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError

import pytest
from containers import Container, ended_after, indexed, stop, truth
from deployments import Deployment, Running, ask, eventually
from load import Pipe, Writer, make_queue

from routes.images import Images
from service.bootstrap.application import App

CHANGES = int(os.environ.get("STREAMDEX_CHANGES", "100"))


@pytest.mark.long(after=1)
@pytest.mark.parametrize("fifo", [False, True])
def test_containers_that_come_and_go_converge_by_versions(deployment: Deployment, tmp_path: Path, fifo: bool):
    chance, queue = random.Random(CHANGES), make_queue(deployment, fifo)
    settings = {"READ_QUEUE": f"{queue}=table/images", "STREAMDEX_READ_STREAMS": "false", "POLL_INTERVAL": "0.1"}
    running = [Container(deployment, tmp_path, **settings) for _ in range(2)]
    with ended_after(running), Pipe(deployment, queue, chance) as pipe, Writer(deployment, chance) as writer:
        eventually(lambda: all(container.has_said("batch dispatched") for container in running), True)
        running.append(Container(deployment, tmp_path, **settings))
        eventually(lambda: running[-1].has_said("batch dispatched"), True)
        stop(running.pop(0))
        writer.finish(CHANGES)
        pipe.finish()
        eventually(pipe.is_drained, True)
        stop(*running)
    assert indexed(deployment) == truth(deployment)
    assert deployment.rejected() == []


@pytest.mark.long
def test_once_deletions_are_forgotten_consumers_converge_by_hints(deployment: Deployment):
    chance, queue = random.Random(CHANGES), make_queue(deployment)
    settings = replace(
        deployment.settings, read_queue=(f"{queue}=table/images",), read_streams=False, hint_after=0.0
    )
    with ExitStack() as consumers:
        for _ in range(3):
            app = consumers.enter_context(App(settings, [Images()]))
            consumers.callback(Running(app).stop)
        with Pipe(deployment, queue, chance) as pipe, Writer(deployment, chance) as writer:
            writer.finish(CHANGES)
            pipe.finish()
            eventually(pipe.is_drained, True)
            forget_deletions(deployment)
            pipe.send(pipe.bodies[::-1])
            eventually(pipe.is_drained, True)
    assert indexed(deployment) == truth(deployment)
    assert deployment.rejected() == []


def forget_deletions(place: Deployment) -> None:
    """Make the search server forget the versions of deleted documents, as it does after some time (gc_deletes)."""
    index = f"{place.search_url}/{place.index}"
    ask("PUT", f"{index}/_settings", {"index": {"gc_deletes": "1ms"}})
    ask("DELETE", f"{index}/_doc/probe?version=9&version_type=external_gte")

    def is_forgotten() -> bool:
        try:
            ask("PUT", f"{index}/_doc/probe?version=1&version_type=external_gte", {})
        except HTTPError:
            return False
        return True

    eventually(is_forgotten, True)
    ask("DELETE", f"{index}/_doc/probe?version=1&version_type=external_gte")
