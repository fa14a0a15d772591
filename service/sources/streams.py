"""The stream of one table as a source: all its shards, parents before children."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Event
from typing import Final, TypeVar

from ..context import Context
from ..dispatch import Report
from ..dispatch.failures import reaching, result_of
from ..dispatch.outcomes import Outcome
from ..errors import Halt
from ..records import Record
from .checkpoints import Checkpoints
from .pauses import Pause
from .shards import ShardReader, list_shards, parents_first

T = TypeVar("T")

REDISCOVERY: Final = 60.0
"""Seconds between two looks for new shards."""


class StreamBatch:
    """Records of one shard, in order."""

    def __init__(self, source: str, reader: ShardReader, records: Sequence[Record], pause: Pause):
        self.source = source
        self.records = records
        self._reader = reader
        self._pause = pause

    def time_left(self) -> float:
        return math.inf

    def settle(self, report: Report) -> None:
        if self._reader.settle(self.records, report):
            self._pause.reset()
        else:
            self._pause.longer(report.results[report.undone[0]].reason)


class StreamSource:
    """Batches of the records of one table's stream, until `stopping` is set."""

    def __init__(
        self,
        context: Context,
        table: str,
        checkpoints: Checkpoints,
        stopping: Event,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.name = f"table {table}"
        self._context = context
        self._table = table
        self._checkpoints = checkpoints
        self._stopping = stopping
        self._clock = clock
        self._pause = Pause(stopping, context.settings.poll_interval)
        self._start = context.settings.start_at
        self._readers: dict[str, ShardReader] = {}

    def __iter__(self) -> Iterator[StreamBatch]:
        stream = self._stream()
        discovered: float | None = None
        readable: list[ShardReader] = []
        while not self._stopping.is_set():
            due = discovered is None or self._clock() - discovered >= REDISCOVERY
            if due or any(reader.ended for reader in readable):
                found = self._attempt(lambda: self._discover(stream))
                if found is None:
                    continue
                # A shard that turns up later was born while we were reading: it is read from its beginning.
                readable, self._start, discovered = found, "TRIM_HORIZON", self._clock()
            idle = True
            for reader in readable:
                records = self._attempt(reader.read)
                if records:
                    idle = False
                    yield StreamBatch(self.name, reader, records, self._pause)
            if idle:
                self._stopping.wait(self._context.settings.poll_interval)

    def _stream(self) -> str:
        with reaching(self.name):
            dynamodb = self._context.dynamodb
            try:
                description = dynamodb.describe_table(TableName=self._table)["Table"]
            except dynamodb.exceptions.ResourceNotFoundException as error:
                reason = f"the table {self._table} does not exist: create it, or map its name in names"
                raise Halt(reason) from error
        if not description.get("LatestStreamArn") or not description.get("StreamSpecification"):
            raise Halt(f"the table {self._table} has no stream: enable one with NEW_AND_OLD_IMAGES")
        return str(description["LatestStreamArn"])

    def _discover(self, stream: str) -> list[ShardReader]:
        """The shards that can be read now: those whose parent is read to its end, or no longer listed."""
        shards = list_shards(self._context.dynamodb_streams, stream)
        listed = {shard.id for shard in shards}
        readable = []
        for shard in parents_first(shards):
            reader = self._readers.get(shard.id) or ShardReader(
                self._context.dynamodb_streams,
                stream,
                shard.id,
                self._checkpoints,
                start=self._start,
                limit=self._context.settings.stream_batch_size,
            )
            self._readers[shard.id] = reader
            parent = self._readers.get(shard.parent)
            if not reader.ended and (shard.parent not in listed or (parent is not None and parent.ended)):
                readable.append(reader)
        return readable

    def _attempt(self, work: Callable[[], T]) -> T | None:
        """What `work` returns; None after a pause where it may succeed later. Raises Halt where it cannot."""
        try:
            return work()
        except Exception as error:
            result = result_of(error, self.name)
            if result.outcome is not Outcome.RETRY:
                raise Halt(result.reason) from error
            self._pause.longer(result.reason)
            return None
