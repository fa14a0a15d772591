"""The container under a steady writer, killed at random moments: nothing is lost, and nothing stale comes back.

STREAMDEX_KILLS sets how often; the heavier tier kills more.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from deployments import PICTURE, Deployment, ServiceProcess, ask, eventually

KILLS = int(os.environ.get("STREAMDEX_KILLS", "3"))


class Writer(Thread):
    """Puts, updates and removes items, uploads and deletes objects, until it is stopped."""

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
    """Looks at one document all the time: it must never go back to an older state."""

    def __init__(self, place: Deployment):
        super().__init__()
        self.place, self.stopping = place, Event()
        self.seen: list[int] = []

    def run(self) -> None:
        while not self.stopping.wait(0.02):
            found = ask("GET", f"{self.place.search_url}/{self.place.index}/_doc/hot")
            if found and found.get("found"):
                self.seen.append(int(found["_source"]["title"]))


class Container(ServiceProcess):
    """The service, with the names and the folders of a deployment."""

    _numbers = itertools.count()

    def __init__(self, place: Deployment, folder: Path, **settings: str):
        names = ",".join(f"{name}={actual}" for name, actual in place.settings.names.items())
        its = {
            "AWS_ENDPOINT_URL": place.aws_url,
            "SEARCH_URL": place.search_url,
            "READ_QUEUE": place.queue,
            "POLL_INTERVAL": "0.05",
            "STREAMDEX_POLL_WAIT": "0",
            "STREAMDEX_NAMES": names,
            "STREAMDEX_CHECKPOINTS": str(folder / "positions.sqlite"),
            "STREAMDEX_DEAD_LETTERS": str(place.letters),
            "STREAMDEX_STREAM_BATCH_SIZE": "50",
            "STREAMDEX_PAGE_PORT": "0",
        }
        super().__init__(folder / f"output-{next(self._numbers)}", {**its, **settings})


def truth(place: Deployment) -> dict[str, Any]:
    return {item["id"]: item.get("title", "") for item in place.items.scan()["Items"]}


def indexed(place: Deployment) -> dict[str, Any]:
    return {name: document.get("title", "") for name, document in place.documents().items()}


def is_settled(place: Deployment, queue: str) -> bool:
    """Whether no upload waits and the index is the table."""
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    counts = place.app.context.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return all(count == "0" for count in counts.values()) and indexed(place) == truth(place)


@contextmanager
def traffic(place: Deployment, chance: random.Random) -> Iterator[tuple[str, Reader]]:
    """Somebody writes and somebody reads; gives the queue's address. At the end nobody writes any longer."""
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
    """Kills a container at random moments, the one that holds the lease, and starts it again at once.

    How often the lease was taken.
    """
    chance = random.Random(KILLS)
    started = [Container(place, folder, **settings) for _ in range(containers)]
    running = list(started)
    try:
        with traffic(place, chance) as (url, reader):
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.5, 3.0))
                victim = max(running, key=lambda container: container.has_said("lease taken"))
                assert victim.poll() is None, victim.log.read_text()[-2000:]
                victim.kill()
                victim.wait()
                started.append(Container(place, folder, **settings))
                running[running.index(victim)] = started[-1]
            eventually(lambda: len(set(reader.seen)) > KILLS, True)
        eventually(lambda: is_settled(place, url), True)
        # The last that was started may still be importing, and then a signal ends it at once.
        eventually(lambda: all(container.has_said("reading") for container in running), True)
        for container in running:
            container.send_signal(signal.SIGTERM)
        assert [container.wait(20) for container in running] == [0] * containers
    finally:
        for container in running:
            container.kill()
            container.wait()
    assert indexed(place) == truth(place)
    assert reader.seen == sorted(reader.seen)
    assert place.rejected() == []
    return sum(container.has_said("lease taken") for container in started)


def test_a_container_that_is_killed_at_any_moment_loses_nothing_and_brings_nothing_back(
    deployment: Deployment, tmp_path: Path
):
    kill_and_settle(deployment, tmp_path, 1)


def test_of_two_containers_on_one_lease_the_other_takes_over_and_nothing_is_lost(
    deployment: Deployment, tmp_path: Path
):
    table = f"dynamodb://positions-{deployment.table}"
    taken = kill_and_settle(deployment, tmp_path, 2, STREAMDEX_CHECKPOINTS=table, STREAMDEX_LEASE_TIME="1.5")
    assert taken > 1
