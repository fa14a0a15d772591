"""Read one shard of a stream."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...checkpoints.stores import LATEST, TRIM_HORIZON, Checkpoint
from ...errors import DecodeError
from ...model import Record, TableRecord, Undecodable
from ...model.table_record import table_of
from ...pipeline import SILENT, Lag, Observer, Report
from ...timing import RETENTION

logger = logging.getLogger(__name__)


class ShardReader:
    """Read one shard from its checkpoint. Times are in Unix seconds.

    `finished` is true once GetRecords returns no next iterator and all records are acknowledged, or once it
    answers that the shard does not exist (`missing`). Neither answer is final: the list of shards confirms it, or
    `resume` continues reading. `doubts` counts how often in a row that happened.

    `listed_closed` is true once a listing shows that the shard is closed. An end is `confirmed` if its page was
    requested after that.
    """

    def __init__(
        self,
        client: Any,
        stream: str,
        shard: str,
        keep: Callable[[Checkpoint], object],
        *,
        at: Checkpoint,
        limit: int,
        observer: Observer = SILENT,
        now: Callable[[], float] = time.time,
    ):
        """`keep` writes a checkpoint, `at` is the stored one, `limit` is the maximum records of one page."""
        self.shard = shard
        self.at = at
        self.finished = False
        self.missing = False
        self.doubts = 0
        self.listed_closed = False
        self.confirmed = False
        self._client = client
        self._stream = stream
        self._keep = keep
        self._limit = limit
        self._observer = observer
        self._now = now
        self._iterator: str | None = None
        self._ahead: tuple[str, Any] | None = None
        self._again: str | None = None
        self._closed = False
        self._lost_since: float | None = None
        self._unread_since: float | None = at.time
        self._renewed = now()
        self._quiet_since: float | None = None

    def lag(self) -> Lag:
        """Return the lag of the shard."""
        now = self._now()
        if self._unread_since is None or (self.finished and not self.missing):
            return Lag()
        unread = max(now - self._unread_since, 0.0)
        return Lag(unread, max(RETENTION - unread, 0.0), now - self._renewed)

    def quiet_for(self) -> float:
        """Return the seconds since the first of the empty pages in a row; 0 after records."""
        return 0.0 if self._quiet_since is None else self._now() - self._quiet_since

    def read(self) -> list[Record]:
        """Return the next records; an empty list if there are none yet. Raises what boto3 raises.

        An empty page is not the end of a shard: only an answer without a next iterator is.
        """
        try:
            answer = self._answer(self._current())
        except self._client.exceptions.ExpiredIteratorException:
            self._iterator = None
            return []
        except self._client.exceptions.TrimmedDataAccessException:
            self._restart()
            return []
        except self._client.exceptions.ResourceNotFoundException:
            self._miss()
            return []
        self._iterator = answer.get("NextShardIterator") or None
        self._closed = self._iterator is None
        records = self._decode(answer["Records"])
        if records or not self._closed:
            self.doubts = 0
        if records or self._closed:
            self._tell_lost(records)
        self.finished = self._closed and not records
        self._unread_since = time_of(records[:1]) or self.at.time if records else None
        if records:
            self._quiet_since = None
        else:
            self._renewed = self._now()
            self._quiet_since = self._quiet_since or self._renewed
        return records

    @property
    def prefetched(self) -> bool:
        """True if the next page is in memory."""
        return self._ahead is not None

    def read_ahead(self) -> None:
        """Prefetch the next page. An error is ignored: the next read repeats the request."""
        iterator = self._iterator
        if iterator is not None and self._ahead is None:
            try:
                self._ahead = iterator, self._get(iterator)
            except Exception as error:
                logger.debug("prefetch failed", extra={"shard": self.shard, "reason": type(error).__name__})

    def _answer(self, iterator: str) -> Any:
        """Return the page of an iterator, prefetched or not. Raises what boto3 raises."""
        ahead, self._ahead = self._ahead, None
        return ahead[1] if ahead is not None and ahead[0] == iterator else self._get(iterator)

    def _get(self, iterator: str) -> Any:
        self.confirmed = self.listed_closed
        return self._client.get_records(ShardIterator=iterator, Limit=self._limit)

    def settle(self, records: Sequence[Record], report: Report) -> bool:
        """Move the checkpoint past the acknowledged records. Return true if all are acknowledged.

        Reading continues at the first unfinished record: a shard is read in order. Raises Halt and LeaseLost.
        """
        undone = report.undone
        done = undone[0] if undone else len(records)
        if undone:
            self._iterator = self._ahead = None
            self._again = records[done].identifier
        if done:
            self.at = Checkpoint(records[done - 1].identifier, time_of(records[:done]) or self.at.time)
            self._keep(self.at)
            self._unread_since, self._renewed = self.at.time, self._now()
        self.finished = self._closed and not undone
        return not undone

    def _decode(self, raws: Sequence[Mapping[str, Any]]) -> list[Record]:
        if not raws:
            return []
        with self._observer.step("decode", f"table {table_of(self._stream)}", raws):
            return [to_record(raw, self._stream, self.shard) for raw in raws]

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
            # LATEST moves: opened again, it would skip the records in between.
            self.at = Checkpoint(TRIM_HORIZON, self.at.time)
        self._again = None
        return str(answer["ShardIterator"])

    def _restart(self) -> None:
        """Continue at the oldest record: the records after the checkpoint are past the stream's retention."""
        self._lost_since = self.at.time
        self.at = Checkpoint(TRIM_HORIZON, self.at.time)
        self._iterator, self._again = None, None

    def resume(self, doubt: bool) -> None:
        """Continue at the checkpoint. With `doubt` the listing contradicts the end that was reported."""
        self.finished = self.missing = False
        self.doubts += doubt

    def lose(self) -> None:
        """Report the gap of a shard that is not listed any more."""
        self._lost_since, self.missing = self.at.time, False
        self._tell_lost([])

    def _miss(self) -> None:
        """Record that AWS does not find the shard. It may be gone, or a server may be restarting."""
        self._iterator, self._again, self._unread_since = None, None, self.at.time
        self.finished = self.missing = True

    def _tell_lost(self, records: Sequence[Record]) -> None:
        """Report the time range in which changes may have been lost."""
        if self._lost_since is not None:
            until = time_of(records[:1]) or self._now()
            self._observer.lost(f"table {table_of(self._stream)}", self.shard, self._lost_since, until)
        self._lost_since = None


def to_record(raw: Mapping[str, Any], stream: str, shard: str) -> Record:
    """Return a record of `get_records`; an Undecodable with its sequence number if it cannot be read."""
    try:
        return TableRecord(raw, source=stream, shard=shard)
    except DecodeError as error:
        number = raw.get("dynamodb", {}).get("SequenceNumber", "")
        return Undecodable(raw, str(error), stream, number)


def time_of(records: Sequence[Record]) -> float | None:
    """Return the creation time of the last record that has one; None without any."""
    times = [r.created for r in records if isinstance(r, TableRecord) and r.created is not None]
    return times[-1] if times else None
