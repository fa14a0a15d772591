"""The container under a steady writer, killed at random moments: nothing is lost, and nothing stale comes back.

STREAMDEX_KILLS sets how often; the heavier tier kills more.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from deployments import PICTURE, Deployment, ask, eventually

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


@contextmanager
def container(place: Deployment, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    names = ",".join(f"{name}={actual}" for name, actual in place.settings.names.items())
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("STREAMDEX_", "COV_"))},
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
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "run"], env=environment, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def truth(place: Deployment) -> dict[str, Any]:
    return {item["id"]: item.get("title", "") for item in place.items.scan()["Items"]}


def indexed(place: Deployment) -> dict[str, Any]:
    return {name: document.get("title", "") for name, document in place.documents().items()}


def is_settled(place: Deployment, queue: str) -> bool:
    """Whether no upload waits and the index is the table."""
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    counts = place.app.context.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return all(count == "0" for count in counts.values()) and indexed(place) == truth(place)


def test_a_container_that_is_killed_at_any_moment_loses_nothing_and_brings_nothing_back(
    deployment: Deployment, tmp_path: Path
):
    chance = random.Random(KILLS)
    sqs = deployment.app.context.sqs
    url = sqs.get_queue_url(QueueName=deployment.queue)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "5"})
    writer, reader = Writer(deployment, chance), Reader(deployment)
    writer.start()
    reader.start()
    for _ in range(KILLS):
        with container(deployment, tmp_path) as process:
            time.sleep(chance.uniform(0.5, 3.0))
            assert process.poll() is None, (tmp_path / "output").read_text()[-2000:]
    writer.stopping.set()
    writer.join()
    with container(deployment, tmp_path) as process:
        eventually(lambda: is_settled(deployment, url), True)
        reader.stopping.set()
        reader.join()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert indexed(deployment) == truth(deployment)
    assert reader.seen == sorted(reader.seen)
    assert len(set(reader.seen)) > KILLS
    assert deployment.rejected() == []
