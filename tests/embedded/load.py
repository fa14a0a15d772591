"""Threads for convergence tests: a writer, a reader, and a pipe from a table's stream to a queue."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Sequence
from threading import Event, Thread
from typing import Any, Self

from convergence import follows
from deployments import Deployment, ask, aws_client

KEYS = [f"item-{number}" for number in range(8)]


class Companion(Thread):
    """A thread that runs for as long as its `with` block."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping = Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.join()


class Writer(Companion):
    """A thread that puts a few items, and deletes the share `deleted` of them. Each title is a growing number.

    `states` holds the titles of each item in order. None means that the item did not exist.
    """

    def __init__(self, place: Deployment, chance: random.Random, deleted: float = 0.2, pause: float = 0.01):
        super().__init__()
        self.states: dict[str, list[str | None]] = {key: [None] for key in KEYS}
        self.written = 0
        self._place, self._chance, self._deleted, self._pause = place, chance, deleted, pause

    def run(self) -> None:
        while not self.stopping.wait(self._pause):
            self.write()

    def write(self) -> None:
        """Make one change."""
        self.written += 1
        key = self._chance.choice(KEYS)
        states = self.states[key]
        if states[-1] is not None and self._chance.random() < self._deleted:
            states.append(None)
            self._place.items.delete_item(Key={"id": key})
        else:
            states.append(str(self.written))
            self._place.items.put_item(Item={"id": key, "title": str(self.written)})

    def finish(self, after: int) -> None:
        """Stop after `after` writes in total, then delete some items."""
        while self.written < after and self.is_alive():
            self.join(0.05)
        self.stopping.set()
        self.join()
        for key in KEYS[:3]:
            self.states[key].append(None)
            self._place.items.delete_item(Key={"id": key})


class Reader(Companion):
    """A thread that polls all documents and keeps each title that differs from the previous one."""

    def __init__(self, place: Deployment, keys: Sequence[str] = KEYS):
        super().__init__()
        self.seen: dict[str, list[str | None]] = {key: [] for key in keys}
        self._url = f"{place.search_url}/{place.index}/_doc"

    def run(self) -> None:
        while not self.stopping.is_set():
            for key, seen in self.seen.items():
                found = ask("GET", f"{self._url}/{key}")
                title = found["_source"]["title"] if found and found["found"] else None
                if not seen or seen[-1] != title:
                    seen.append(title)

    def assert_in_order(self, states: dict[str, list[str | None]]) -> None:
        """Assert that no document went back to an older state."""
        for key, seen in self.seen.items():
            assert follows(seen, states[key]), f"{key} went back: {seen} of {states[key]}"


def make_queue(place: Deployment, fifo: bool = False) -> str:
    """Create a queue for records. An unacknowledged message is redelivered after 5 seconds."""
    name = f"records-of-{place.table}{'.fifo' if fifo else ''}"
    attributes = {"VisibilityTimeout": "5"} | ({"FifoQueue": "true"} if fifo else {})
    place.app.context.sqs.create_queue(QueueName=name, Attributes=attributes)
    return name


class Pipe(Companion):
    """A thread that works like EventBridge Pipes: it sends each record of the table's stream to a queue.

    The messages have the form that AWS gives them. A standard queue gets them out of order. A FIFO queue gets them
    in order, with one message group for each item. About 30 % are sent again later, as after the deduplication
    interval of the queue.
    """

    def __init__(self, place: Deployment, queue: str, chance: random.Random):
        super().__init__()
        self.bodies: list[dict[str, Any]] = []
        self._streams = aws_client(place.aws_url, "dynamodbstreams")
        self._sqs = place.app.context.sqs
        self._url = self._sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        self._fifo = queue.endswith(".fifo")
        self._chance = chance
        (stream,) = self._streams.list_streams(TableName=place.table)["Streams"]
        self._stream = stream["StreamArn"]

    def run(self) -> None:
        (shard,) = self._streams.describe_stream(StreamArn=self._stream)["StreamDescription"]["Shards"]
        first = int(shard["SequenceNumberRange"]["StartingSequenceNumber"])
        place = {"StreamArn": self._stream, "ShardId": shard["ShardId"]}
        answer = self._streams.get_shard_iterator(**place, ShardIteratorType="TRIM_HORIZON")
        iterator, waiting, last = answer["ShardIterator"], [], False
        while not last:
            last = self.stopping.wait(0.02)
            answer = self._streams.get_records(ShardIterator=iterator)
            iterator = answer["NextShardIterator"]
            coming = [body_of(record, self._stream, first) for record in answer["Records"]]
            self.bodies += coming
            waiting += [body for body in coming if self._chance.random() < 0.3]
            if self._fifo:
                self.send(coming)
            else:
                waiting += coming
            self._chance.shuffle(waiting)
            staying = 15 if coming and not last else 0
            self.send(waiting[staying:])
            del waiting[staying:]

    def finish(self) -> None:
        """Send the remaining records and stop."""
        self.stopping.set()
        self.join()

    def send(self, bodies: Sequence[dict[str, Any]]) -> None:
        for at in range(0, len(bodies), 10):
            entries = [self._entry(number, body) for number, body in enumerate(bodies[at : at + 10])]
            assert not self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries).get("Failed")

    def is_drained(self) -> bool:
        """True if every message was received and deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        return all(count == "0" for count in counts.values())

    def _entry(self, number: int, body: dict[str, Any]) -> dict[str, Any]:
        entry = {"Id": str(number), "MessageBody": json.dumps(body)}
        if self._fifo:
            group = body["dynamodb"]["Keys"]["id"]["S"]
            entry |= {"MessageGroupId": group, "MessageDeduplicationId": str(uuid.uuid4())}
        return entry


def body_of(record: dict[str, Any], stream: str, first: int) -> dict[str, Any]:
    """Return the message of a record. Its time is in seconds. Its sequence number grows above 20 low digits."""
    change = record["dynamodb"]
    at = int(change["ApproximateCreationDateTime"].timestamp())
    number = int(change["SequenceNumber"]) - first + 1
    change |= {"ApproximateCreationDateTime": at, "SequenceNumber": f"{number}{0:020d}"}
    return record | {"eventSourceARN": stream}
