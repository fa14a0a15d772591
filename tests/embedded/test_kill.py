"""The container under a steady writer, killed at random moments.

No change is lost, and no document goes back to an older state. STREAMDEX_KILLS sets the number of kills.
The heavier tier kills more often.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from containers import Container, ended_after, indexed, stop, truth
from deployments import PICTURE, Deployment, ask, eventually

KILLS = int(os.environ.get("STREAMDEX_KILLS", "2"))


class Writer(Thread):
    """A thread that puts, updates and removes items, and uploads and deletes objects, until it is stopped."""

    def __init__(self, place: Deployment, chance: random.Random):
        super().__init__()
        self.place, self.chance, self.stopping = place, chance, Event()
        self.written = 0

    def run(self) -> None:
        while not self.stopping.wait(0.01):
            self.written += 1
            key = f"item-{self.chance.randint(1, 30)}"
            kind = self.chance.random()
            if kind < 0.6:
                self.place.items.put_item(Item={"id": key, "title": str(self.written)})
            elif kind < 0.75:
                self.place.items.delete_item(Key={"id": key})
            elif kind < 0.97:
                self.place.items.put_item(Item={"id": "hot", "title": str(self.written)})
            elif kind < 0.99:
                self.place.upload(f"{key}.jpg", PICTURE.read_bytes())
            else:
                self.place.s3.delete_object(Bucket=self.place.bucket, Key=f"{key}.jpg")


class Reader(Thread):
    """A thread that polls one document, which must never go back to an older state."""

    def __init__(self, place: Deployment):
        super().__init__()
        self.place, self.stopping = place, Event()
        self.seen: list[int] = []

    def run(self) -> None:
        while not self.stopping.wait(0.02):
            found = ask("GET", f"{self.place.search_url}/{self.place.index}/_doc/hot")
            if found and found.get("found"):
                self.seen.append(int(found["_source"]["title"]))


def is_settled(place: Deployment, queue: str) -> bool:
    """True if no upload waits and the index equals the table."""
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    counts = place.app.context.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return all(count == "0" for count in counts.values()) and indexed(place) == truth(place)


@contextmanager
def traffic(place: Deployment, chance: random.Random) -> Iterator[tuple[str, Reader]]:
    """Run a writer and a reader until the block ends. Yield the URL of the queue, and the reader."""
    sqs = place.app.context.sqs
    url = sqs.get_queue_url(QueueName=place.queue)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "5"})
    writer, reader = Writer(place, chance), Reader(place)
    writer.start()
    reader.start()
    try:
        yield url, reader
    finally:
        for one in (writer, reader):
            one.stopping.set()
            one.join()


def kill_and_settle(place: Deployment, folder: Path, containers: int, **settings: str) -> int:
    """Kill the container that holds the lease at random moments, and start it again at once.

    Return the number of containers that acquired the lease.
    """
    chance = random.Random(KILLS)
    started = [Container(place, folder, **settings) for _ in range(containers)]
    running = list(started)
    with ended_after(running):
        with traffic(place, chance) as (url, reader):
            for _ in range(KILLS):
                # On a busy machine, the lease may be free for a while. Then there is nothing to take over.
                eventually(lambda: containers == 1 or any(one.has_said("lease acquired") for one in running), True)
                time.sleep(chance.uniform(0.5, 3.0))
                victim = max(running, key=lambda container: container.has_said("lease acquired"))
                assert victim.poll() is None, victim.log.read_text()[-2000:]
                victim.kill()
                victim.wait()
                started.append(Container(place, folder, **settings))
                running[running.index(victim)] = started[-1]
            eventually(lambda: len(set(reader.seen)) > KILLS, True)
        eventually(lambda: is_settled(place, url), True)
        stop(*running)
    assert indexed(place) == truth(place)
    assert reader.seen == sorted(reader.seen)
    assert place.rejected() == []
    return sum(container.has_said("lease acquired") for container in started)


def test_a_container_that_is_killed_at_any_moment_loses_nothing_and_brings_nothing_back(
    deployment: Deployment, tmp_path: Path
):
    kill_and_settle(deployment, tmp_path, 1)


@pytest.mark.long
def test_of_two_containers_on_one_lease_the_other_takes_over_and_nothing_is_lost(
    deployment: Deployment, tmp_path: Path
):
    table = f"dynamodb://positions-{deployment.table}"
    taken = kill_and_settle(deployment, tmp_path, 2, STREAMDEX_CHECKPOINTS=table, STREAMDEX_LEASE_TIME="1.5")
    assert taken > 1
