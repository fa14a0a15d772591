"""One shard of a stream: where reading it stands."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..dispatch import Report
from ..errors import DecodeError
from ..records import Record, TableRecord, Undecodable
from .checkpoints import ENDED, Checkpoints

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard as DescribeStream lists it; `parent` is "" for one that has none."""

    id: str
    parent: str


def list_shards(client: Any, stream: str) -> list[Shard]:
    """All shards of a stream, page after page ("DescribeStream", DynamoDB Streams API Reference)."""
    shards: list[Shard] = []
    page: dict[str, str] = {}
    while True:
        description = client.describe_stream(StreamArn=stream, **page)["StreamDescription"]
        shards += [Shard(s["ShardId"], s.get("ParentShardId", "")) for s in description["Shards"]]
        if not description.get("LastEvaluatedShardId"):
            return shards
        page = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}


def parents_first(shards: Sequence[Shard]) -> Iterator[Shard]:
    """The same shards, each after its parent."""
    waiting = {shard.id: shard for shard in shards}
    while waiting:
        ready = [shard for shard in waiting.values() if shard.parent not in waiting]
        for shard in ready or list(waiting.values()):
            yield waiting.pop(shard.id)


class ShardReader:
    """Reads one shard from its checkpoint on. `position` is the last record that is done."""

    def __init__(self, client: Any, stream: str, shard: str, checkpoints: Checkpoints, *, start: str, limit: int):
        """`start` is TRIM_HORIZON or LATEST, for a shard without a checkpoint; `limit` records at most."""
        self.shard = shard
        self.position = checkpoints.read(stream, shard)
        self._client = client
        self._stream = stream
        self._checkpoints = checkpoints
        self._start = start
        self._limit = limit
        self._iterator: str | None = None
        self._again: str | None = None
        self._closed = False

    @property
    def ended(self) -> bool:
        return self.position == ENDED

    def read(self) -> list[Record]:
        """The next records; none where there are none yet. Raises what boto3 raises.

        An empty page is not the end of a shard: only an answer without a next iterator is.
        """
        try:
            answer = self._client.get_records(ShardIterator=self._current(), Limit=self._limit)
        except self._client.exceptions.ExpiredIteratorException:
            self._iterator = None
            return []
        except self._client.exceptions.TrimmedDataAccessException:
            self._restart()
            return []
        self._iterator = answer.get("NextShardIterator")
        self._closed = self._iterator is None
        records = [to_record(raw, self._stream) for raw in answer["Records"]]
        if self._closed and not records:
            self._end()
        return records

    def settle(self, records: Sequence[Record], report: Report) -> bool:
        """Moves on past the records that are done; whether that was all of them.

        The first that is not comes again, with everything after it: a shard is read in order.
        """
        undone = report.undone
        done = undone[0] if undone else len(records)
        if done:
            self.position = records[done - 1].identifier
            self._checkpoints.write(self._stream, self.shard, self.position)
        if undone:
            self._iterator, self._closed = None, False
            self._again = records[done].identifier
        elif self._closed:
            self._end()
        return not undone

    def _current(self) -> str:
        if self._iterator is None:
            try:
                self._iterator = self._open()
            except self._client.exceptions.TrimmedDataAccessException:
                self._restart()
                self._iterator = self._open()
        return self._iterator

    def _open(self) -> str:
        place: Mapping[str, str]
        if self._again:
            place = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": self._again}
        elif self.position:
            place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self.position}
        else:
            place = {"ShardIteratorType": self._start}
        answer = self._client.get_shard_iterator(StreamArn=self._stream, ShardId=self.shard, **place)
        # LATEST is another place by now: opened anew it would leave out what came in between.
        self._start, self._again = "TRIM_HORIZON", None
        return str(answer["ShardIterator"])

    def _restart(self) -> None:
        """What came after the position is older than the stream keeps: go on with the oldest that is left."""
        logger.error(
            "records lost: the stream no longer has them",
            extra={"stream": self._stream, "shard": self.shard, "position": self.position},
        )
        self.position, self._iterator, self._again, self._start = None, None, None, "TRIM_HORIZON"

    def _end(self) -> None:
        self.position = ENDED
        self._checkpoints.write(self._stream, self.shard, ENDED)


def to_record(raw: Mapping[str, Any], stream: str) -> Record:
    """A record of `get_records`; an Undecodable with its sequence number where it cannot be read."""
    try:
        return TableRecord(raw, source=stream)
    except DecodeError as error:
        number = raw.get("dynamodb", {}).get("SequenceNumber", "")
        return Undecodable(raw, str(error), stream, number)
