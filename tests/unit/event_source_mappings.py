"""A model of Lambda's event source mappings, as AWS documents them. The emulators omit most of this behaviour.

Sources, in the Lambda Developer Guide: "Process Amazon DynamoDB records with Lambda" (batching, parallelization),
"Configuring partial batch response with DynamoDB and Lambda", "Retain discarded records for a DynamoDB event
source", "How Lambda processes records from stream and queue-based event sources", "Using Lambda with Amazon SQS"
(error handling, FIFO queues, partial batch responses).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from zlib import crc32

from turns import Turns

Event = Any
Function = Callable[[Event], Any]
"""The handler, called with an event."""

FAILED_WHOLE = object()


def failed_of(function: Function, entries: Sequence[Any], names: Sequence[str]) -> Any:
    """Invoke the function, and return the identifiers that it reports as failed, or FAILED_WHOLE.

    An empty response is success. The batch fails as a whole if the function raises, or if an identifier is empty
    or not in the batch.
    """
    try:
        answer = function({"Records": list(entries)})
    except Exception:
        return FAILED_WHOLE
    failures = (answer or {}).get("batchItemFailures") or []
    found = [failure.get("itemIdentifier") for failure in failures]
    return found if all(name and name in names for name in found) else FAILED_WHOLE


@dataclass
class StreamMapping:
    """The event source mapping of one shard. Times and ages are in seconds of a virtual clock.

    If `retries` or `oldest` is None, there is no limit. `destination` receives the first and the last sequence
    number of each discarded batch: Lambda does not send the records. `lanes` is the ParallelizationFactor.
    """

    function: Function
    batch_size: int = 100
    window: float = 0.0
    bisect: bool = False
    retries: int | None = None
    oldest: float | None = None
    reports_failures: bool = True
    lanes: int = 1
    destination: list[tuple[str, str]] = field(default_factory=list)
    invocations: int = 0
    now: float = 0.0

    def run(self, records: Sequence[Any], turns: Turns) -> None:
        """Deliver all records: in order for each key, and concurrently for different lanes."""
        lanes: list[list[Any]] = [[] for _ in range(self.lanes)]
        for record in records:
            lanes[crc32(str(record["dynamodb"]["Keys"]).encode()) % self.lanes].append(record)
        turns.run([partial(self._work, lane) for lane in lanes])

    def _work(self, records: Sequence[Any]) -> None:
        position = 0
        while position < len(records):
            batch = self._batch(records[position:])
            position += len(batch)
            pieces = [(batch, 0)]
            while pieces:
                pieces = [*self._invoke(*pieces[0]), *pieces[1:]]

    def _batch(self, records: Sequence[Any]) -> Sequence[Any]:
        """Return the records that have arrived when the batch is full or the window ends."""
        first = created(records[0])
        self.now = max(self.now, first)
        closes = max(self.now, first + self.window)
        return [r for r in records[: self.batch_size] if created(r) <= closes]

    def _invoke(self, batch: Sequence[Any], tries: int) -> list[tuple[Sequence[Any], int]]:
        """Return the undelivered rest of a batch in pieces, each with its number of retries."""
        if self.oldest is not None and self.now - created(batch[0]) > self.oldest:
            self._discard(batch[:1])
            return [(batch[1:], tries)] if batch[1:] else []
        self.invocations += 1
        assert self.invocations < 5000, "no end"
        names = [number(record) for record in batch]
        failed = failed_of(self.function, batch, names)
        if failed == [] or (failed is not FAILED_WHOLE and not self.reports_failures):
            return []
        self.now += 1.0
        done = 0 if failed is FAILED_WHOLE else min(names.index(name) for name in failed)
        rest = batch[done:]
        if self.bisect and done:
            return [(rest, tries)]
        if self.bisect and len(rest) > 1:  # a bisection does not count as a retry
            middle = len(rest) // 2
            return [(rest[:middle], tries), (rest[middle:], tries)]
        if self.retries is not None and tries >= self.retries:
            self._discard(rest)
            return []
        return [(rest, tries + 1)]

    def _discard(self, batch: Sequence[Any]) -> None:
        self.destination.append((number(batch[0]), number(batch[-1])))


@dataclass
class QueueMapping:
    """The event source mapping of a standard or FIFO queue. `dead` is the dead-letter queue."""

    function: Function
    batch_size: int = 10
    receives: int = 1000
    dead: list[Any] = field(default_factory=list)

    def run(self, messages: Sequence[Any], chance: random.Random) -> None:
        """Deliver all messages: in any order from a standard queue, in order within a group from a FIFO queue."""
        waiting, received = list(messages), dict.fromkeys((m["messageId"] for m in messages), 0)
        for _ in range(10_000):
            if not waiting:
                return
            batch = self._receive(waiting, chance)
            names = [message["messageId"] for message in batch]
            failed = failed_of(self.function, batch, names)
            kept = names if failed is FAILED_WHOLE else failed
            assert_in_order(batch, kept)
            for message in batch:
                name = message["messageId"]
                received[name] += 1
                if name not in kept:
                    waiting.remove(message)
                elif received[name] >= self.receives:
                    waiting.remove(message)
                    self.dead.append(message)
        raise AssertionError("no end")

    def _receive(self, waiting: Sequence[Any], chance: random.Random) -> list[Any]:
        size = chance.randint(1, self.batch_size)
        if group_of(waiting[0]) is None:
            return chance.sample(list(waiting), min(size, len(waiting)))
        groups = sorted({group_of(message) for message in waiting})
        chosen = chance.sample(groups, chance.randint(1, len(groups)))
        return [message for message in waiting if group_of(message) in chosen][:size]


def assert_in_order(batch: Sequence[Any], kept: Sequence[str]) -> None:
    """Assert that later messages of a failed group are reported, too: Lambda deletes unreported messages."""
    failed_groups = set()
    for message in batch:
        group = group_of(message)
        if message["messageId"] in kept:
            failed_groups.add(group)
        else:
            assert group is None or group not in failed_groups, f"{message['messageId']} overtook in {group}"


def group_of(message: Any) -> str | None:
    return message["attributes"].get("MessageGroupId")


def created(record: Any) -> float:
    return float(record["dynamodb"]["ApproximateCreationDateTime"])


def number(record: Any) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
