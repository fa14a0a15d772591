"""DynamoDB Streams in memory with a virtual clock: shards split, close, expire, and are listed with a delay.

It has the interface of boto3's client and the behaviour that AWS documents ("Change data capture for DynamoDB
Streams", "GetRecords", "GetShardIterator", "DescribeStream"): records are kept for 24 hours, an iterator for 15
minutes, a page may be empty although more records follow, and a listing lags behind.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from builders import stream_record

TABLE = "images"
RETENTION = 24 * 3600.0
ITERATOR_LIFE = 900.0


def as_read(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as GetRecords does: without the ARN of its stream, which only Lambda adds."""
    return {name: value for name, value in record.items() if name != "eventSourceARN"}


class Expired(Exception):
    pass


class Trimmed(Exception):
    pass


class NotFound(Exception):
    pass


@dataclass(eq=False)
class ModelShard:
    id: str
    parent: str
    visible_at: float
    records: list[tuple[int, float]] = field(default_factory=list)
    closed_at: float | None = None


@dataclass(eq=False)
class ModelStream:
    arn: str
    label: str
    shards: dict[str, ModelShard] = field(default_factory=dict)
    enabled: bool = True


class StreamModel:
    """The streams of one table. `chance` selects empty pages. A page has at most `page` entries.

    New shards of a split are listed after `lag` seconds.
    """

    class exceptions:
        ExpiredIteratorException = Expired
        TrimmedDataAccessException = Trimmed
        ResourceNotFoundException = NotFound

    def __init__(self, chance: random.Random | None = None, page: int = 2, lag: float = 0.0):
        self.now = 1_700_000_000.0
        self.streams: list[ModelStream] = []
        self.throttled = 0
        self.hiccups: Counter[str] = Counter()
        """The number of following calls, by operation, that fail because the resource does not exist."""
        self.endings: list[Any] = []
        """The iterators of the next responses of GetRecords for open shards."""
        self.closes = True
        """True if the shards of a disabled stream are closed. In LocalStack, the last one stays open."""
        self.calls: list[str] = []
        self._chance = chance
        self._page = page
        self._lag = lag
        self._sequences = itertools.count(1)
        self._shards = itertools.count(1)
        self._iterators: dict[str, tuple[ModelStream, ModelShard, int, float]] = {}
        self.enable()

    # Changes of the table.

    def enable(self) -> ModelStream:
        """Enable a stream: the first one, or a new one."""
        enabled = datetime.fromtimestamp(self.now + len(self.streams) / 1000, UTC)
        label = enabled.replace(tzinfo=None).isoformat(timespec="milliseconds")
        stream = ModelStream(f"arn:aws:dynamodb:us-east-1:000000000000:table/images/stream/{label}", label)
        self.streams.append(stream)
        self.open(stream)
        return stream

    def disable(self) -> None:
        self.streams[-1].enabled = False
        for shard in self.streams[-1].shards.values():
            shard.closed_at = shard.closed_at or (self.now if self.closes else None)

    def open(self, stream: ModelStream, parent: str = "", lag: float = 0.0) -> ModelShard:
        shard = ModelShard(f"shard-{next(self._shards):04d}", parent, self.now + lag)
        stream.shards[shard.id] = shard
        return shard

    def write(self, shard: ModelShard, count: int = 1) -> list[int]:
        """Add records to a shard, and return their sequence numbers."""
        assert shard.closed_at is None
        numbers = [next(self._sequences) for _ in range(count)]
        shard.records += [(number, self.now) for number in numbers]
        return numbers

    def split(self, shard: ModelShard, children: int = 2) -> list[ModelShard]:
        """Close a shard. Its children are listed after the lag."""
        stream = next(s for s in self.streams if shard.id in s.shards)
        shard.closed_at = self.now
        return [self.open(stream, shard.id, self._lag) for _ in range(children)]

    def living(self) -> list[ModelShard]:
        """Return the shards that accept writes."""
        stream = self.streams[-1]
        return [s for s in stream.shards.values() if s.closed_at is None] if stream.enabled else []

    def kept(self, shard: ModelShard) -> list[tuple[int, float]]:
        return [(number, at) for number, at in shard.records if self.now - at <= RETENTION]

    def expired(self, shard: ModelShard) -> bool:
        return shard.closed_at is not None and self.now - shard.closed_at > RETENTION

    # Calls of the client.

    def describe_table(self, TableName: str) -> Any:
        assert TableName == TABLE
        return {"Table": {}}

    def list_streams(self, TableName: str, ExclusiveStartStreamArn: str = "") -> Any:
        self._call("ListStreams")
        assert TableName == TABLE
        arns = [{"StreamArn": stream.arn, "StreamLabel": stream.label} for stream in self._listed()]
        page = arns[1:] if ExclusiveStartStreamArn else arns[:1]  # the newest is last, on its own page
        more = not ExclusiveStartStreamArn and len(arns) > 1
        return {"Streams": page, **({"LastEvaluatedStreamArn": arns[0]["StreamArn"]} if more else {})}

    def describe_stream(self, StreamArn: str, ExclusiveStartShardId: str = "") -> Any:
        self._call("DescribeStream")
        stream = self._stream(StreamArn)
        listed = [s for s in stream.shards.values() if s.visible_at <= self.now and not self.expired(s)]
        shards = [shard for shard in sorted(listed, key=lambda s: s.id) if shard.id > ExclusiveStartShardId]
        description: dict[str, Any] = {
            "StreamStatus": "ENABLED" if stream.enabled else "DISABLED",
            "Shards": [self._as_listed(shard) for shard in shards[: self._page]],
        }
        if len(shards) > self._page:
            description["LastEvaluatedShardId"] = shards[self._page - 1].id
        return {"StreamDescription": description}

    def get_shard_iterator(
        self, StreamArn: str, ShardId: str, ShardIteratorType: str, SequenceNumber: str = ""
    ) -> Any:
        self._call("GetShardIterator")
        by_number = {"AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"}
        assert ShardIteratorType in (by_number if SequenceNumber else {"TRIM_HORIZON", "LATEST"})
        stream = self._stream(StreamArn)
        shard = stream.shards.get(ShardId)
        if shard is None or self.expired(shard):
            raise NotFound
        numbers = [number for number, _ in shard.records]
        if SequenceNumber:
            if not any(number == int(SequenceNumber) for number, _ in self.kept(shard)):
                raise Trimmed
            place = numbers.index(int(SequenceNumber)) + (ShardIteratorType == "AFTER_SEQUENCE_NUMBER")
        else:
            place = len(numbers) if ShardIteratorType == "LATEST" else len(numbers) - len(self.kept(shard))
        return {"ShardIterator": self._iterator(stream, shard, place)}

    def get_records(self, ShardIterator: str, Limit: int) -> Any:
        self._call("GetRecords")
        stream, shard, place, issued = self._iterators[ShardIterator]
        if self.expired(shard):
            raise NotFound
        if self.now - issued > ITERATOR_LIFE:
            raise Expired
        if place < len(shard.records) - len(self.kept(shard)):
            raise Trimmed
        empty = self._chance is not None and self._chance.random() < 0.3
        page = [] if empty else shard.records[place : place + min(self._page, Limit)]
        end = place + len(page)
        answer: dict[str, Any] = {
            "Records": [
                as_read(stream_record(new={"id": str(number)}, sequence=f"{number:021d}", created=int(at)))
                for number, at in page
            ]
        }
        if shard.closed_at is None or end < len(shard.records):
            next_one = self._iterator(stream, shard, end)
            denied = self.endings and shard.closed_at is None
            answer["NextShardIterator"] = self.endings.pop() if denied else next_one
        return answer

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.throttled:
            self.throttled -= 1
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, name)
        if self.hiccups[name] > 0:
            self.hiccups[name] -= 1
            raise NotFound

    def _listed(self) -> list[ModelStream]:
        return [s for s in self.streams if s.enabled or not all(map(self.expired, s.shards.values()))]

    def _stream(self, arn: str) -> ModelStream:
        for stream in self._listed():
            if stream.arn == arn:
                return stream
        raise NotFound

    def _as_listed(self, shard: ModelShard) -> Any:
        numbers = {"StartingSequenceNumber": "0"} | (
            {} if shard.closed_at is None else {"EndingSequenceNumber": "9"}
        )
        parent = {"ParentShardId": shard.parent} if shard.parent else {}
        return {"ShardId": shard.id, "SequenceNumberRange": numbers, **parent}

    def _iterator(self, stream: ModelStream, shard: ModelShard, place: int) -> str:
        name = f"i{len(self._iterators)}"
        self._iterators[name] = (stream, shard, place, self.now)
        return name
