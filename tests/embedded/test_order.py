"""Reads of documents while the changes of a table are consumed: no document goes back to an older state.

A reader polls all documents. STREAMDEX_CHANGES sets the number of changes.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from containers import Container, ended_after, indexed, stop, truth
from deployments import Deployment, Running, eventually
from load import Pipe, Reader, Writer, make_queue

from routes.images import Images
from service.bootstrap.application import App
from service.pipeline import Delivery

CHANGES = int(os.environ.get("STREAMDEX_CHANGES", "100"))


@contextmanager
def watched(place: Deployment, running: Sequence[Container], **writing: float) -> Iterator[None]:
    """Run a writer and a reader. At the end, the index equals the table, and no document has gone back."""
    writer = Writer(place, random.Random(CHANGES), **writing)
    with ended_after(running), Reader(place) as reader, writer:
        yield
        eventually(lambda: all(container.has_said("batch dispatched") for container in running), True)
        writer.finish(writer.written + CHANGES)
        eventually(lambda: indexed(place) == truth(place), True)
        stop(*running)
    reader.assert_in_order(writer.states)
    assert sum(map(len, reader.seen.values())) > CHANGES / 10


def test_threads_that_take_turns_at_a_stream_s_shards_show_nothing_older(deployment: Deployment, tmp_path: Path):
    with watched(deployment, [Container(deployment, tmp_path, STREAMDEX_STREAM_WORKERS="4")]):
        pass


@pytest.mark.long
def test_receivers_of_a_queue_show_nothing_older(deployment: Deployment, tmp_path: Path):
    queue = make_queue(deployment)
    settings = {
        "READ_QUEUE": f"{queue}=table/images",
        "STREAMDEX_READ_STREAMS": "false",
        "STREAMDEX_QUEUE_WORKERS": "4",
    }
    running = [Container(deployment, tmp_path, **settings) for _ in range(2)]
    with Pipe(deployment, queue, random.Random(CHANGES)), watched(deployment, running):
        pass


def test_a_batch_that_is_delivered_again_in_smaller_pieces_shows_nothing_older(deployment: Deployment):
    """The first process ends after its write, before its checkpoint."""
    states: list[str | None] = [None]

    def write(changes: int) -> None:
        for _ in range(changes):
            states.append(str(len(states)))
            deployment.items.put_item(Item={"id": "item-0", "title": states[-1]})

    write(40)
    first = App(deployment.settings, [Images()])
    (source, _) = first.sources(Event())
    batch = next(iter(source))
    first.dispatcher.run(Delivery(batch.records))
    first.close()
    write(20)
    deployment.items.put_item(Item={"id": "last"})
    with Reader(deployment, ["item-0"]) as reader:
        eventually(lambda: bool(reader.seen["item-0"]), True)
        with App(replace(deployment.settings, stream_batch_size=3), [Images()]) as second:
            workers = Running(second)
            eventually(lambda: indexed(deployment), {"item-0": states[-1], "last": ""})
            workers.stop()
    reader.assert_in_order({"item-0": states})
