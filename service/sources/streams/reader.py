"""One shard of a stream: where reading it stands."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ...dispatch import Report
from ...errors import DecodeError
from ...records import Record, TableRecord, Undecodable
from ..checkpoints import LATEST, TRIM_HORIZON, Checkpoint, Checkpoints

logger = logging.getLogger(__name__)


class ShardReader:
    """Reads one shard from its checkpoint on.

    `finished` once it is closed and all its records are done. Times are Unix seconds.
    """

    def __init__(
        self,
        client: Any,
        stream: str,
        shard: str,
        checkpoints: Checkpoints,
        *,
        at: Checkpoint,
        limit: int,
        now: Callable[[], float] = time.time,
    ):
        """`at` is where it stands, `limit` the most records of one page."""
        self.shard = shard
        self.at = at
        self.finished = False
        self._client = client
        self._stream = stream
        self._checkpoints = checkpoints
        self._limit = limit
        self._now = now
        self._iterator: str | None = None
        self._again: str | None = None
        self._closed = False
        self._lost_since: float | None = None

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
        except self._client.exceptions.ResourceNotFoundException:
            self._vanish()
            return []
        self._iterator = answer.get("NextShardIterator")
        self._closed = self._iterator is None
        records = [to_record(raw, self._stream) for raw in answer["Records"]]
        if records or self._closed:
            self._tell_lost(records)
        self.finished = self._closed and not records
        return records

    def settle(self, records: Sequence[Record], report: Report) -> bool:
        """Moves on past the records that are done; whether that was all of them. Raises Halt.

        The first that is not comes again, with everything after it: a shard is read in order.
        """
        undone = report.undone
        done = undone[0] if undone else len(records)
        if undone:
            self._iterator, self._closed = None, False
            self._again = records[done].identifier
        if done:
            self.at = Checkpoint(records[done - 1].identifier, time_of(records[:done]) or self.at.time)
            self._checkpoints.write(self._stream, self.shard, self.at)
        self.finished = self._closed and not undone
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
        elif self.at.position in (TRIM_HORIZON, LATEST):
            place = {"ShardIteratorType": self.at.position}
        else:
            place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self.at.position}
        answer = self._client.get_shard_iterator(StreamArn=self._stream, ShardId=self.shard, **place)
        if self.at.position == LATEST:
            # That is another place by now: opened anew it would leave out what came in between.
            self.at = Checkpoint(TRIM_HORIZON, self.at.time)
        self._again = None
        return str(answer["ShardIterator"])

    def _restart(self) -> None:
        """What came after the position is older than the stream keeps: go on with the oldest that is left."""
        self._lost_since = self.at.time
        self.at = Checkpoint(TRIM_HORIZON, self.at.time)
        self._iterator, self._again = None, None

    def _vanish(self) -> None:
        """The shard itself is older than the stream keeps."""
        self._lost_since, self.finished = self.at.time, True
        self._tell_lost([])

    def _tell_lost(self, records: Sequence[Record]) -> None:
        """Says within which times changes may have been missed."""
        if self._lost_since is None:
            return
        logger.error(
            "records lost: the stream no longer has them; what was written to the table within these times and not"
            " since may be missing or old in its indices: write such items again",
            extra={
                "stream": self._stream,
                "shard": self.shard,
                "since": iso(self._lost_since),
                "until": iso(time_of(records[:1]) or self._now()),
            },
        )
        self._lost_since = None


def to_record(raw: Mapping[str, Any], stream: str) -> Record:
    """A record of `get_records`; an Undecodable with its sequence number where it cannot be read."""
    try:
        return TableRecord(raw, source=stream)
    except DecodeError as error:
        number = raw.get("dynamodb", {}).get("SequenceNumber", "")
        return Undecodable(raw, str(error), stream, number)


def time_of(records: Sequence[Record]) -> float | None:
    """When the last of the records was made, as far as they say."""
    times = [r.created for r in records if isinstance(r, TableRecord) and r.created is not None]
    return times[-1] if times else None


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
