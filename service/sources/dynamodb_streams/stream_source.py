"""The streams of one table as a source. Several threads share its shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import Event, Lock
from typing import Final

from ...checkpoints.stores import Checkpoints
from ...context import Context
from ...errors import Halt, LeaseLost, Retry
from ...pipeline import SILENT, Lag, Observer
from ...retry_policy import backoff
from ...timing import REAL, Timing
from .idle_delay import IN_A_ROW, after_nothing, after_records
from .job_retries import Retries
from .schedule import Schedule
from .shard_discovery import Stream, worst_lag
from .shard_reader import ShardReader
from .stream_batch import Job, StreamBatch
from .stream_status import StreamStatus
from .table_streams import TableStreams

REDISCOVERY: Final = 60.0
"""Approximate seconds between two listings of a stream's shards."""

STREAMS: Final = 45.0
"""Maximum seconds between two listings of a table's streams."""

SOON: Final = 1.0
"""Approximate seconds until the first listing after a shard has ended, to find its children."""

STAND_BY: Final = 1.0
"""Seconds between two checks whether this process holds the lease."""

PAGES_APART: Final = 0.1
"""Seconds between two pages of shards: ten per second are allowed ("DescribeStream", Streams API Reference)."""


class StreamSource:
    """Batches of the records of a table's streams, until `stopping` is set.

    Threads that iterate get batches of different shards. The order within each shard is kept, and a child is read
    after its parent. A failing shard is retried with growing backoff and does not delay the others.
    """

    def __init__(
        self,
        context: Context,
        table: str,
        checkpoints: Checkpoints,
        stopping: Event,
        *,
        observer: Observer = SILENT,
        timing: Timing = REAL,
        absences: Callable[[], Mapping[str, int]] = dict,
    ):
        """`absences` returns how often each index of the table was missing; it may raise Halt and Retry."""
        self.name = f"table {table}"
        self.workers = context.settings.stream_workers
        self.lease = checkpoints.lease
        self._context = context
        self._table = table
        self._checkpoints = checkpoints
        self._observer = observer
        self._now = timing.now
        self._chance = timing.chance
        self._lock = Lock()
        self._schedule: Schedule[Job] = Schedule(stopping, timing)
        self._retries = Retries(self.name, self._schedule, timing.chance, context.settings.on_halt == "exit")
        self._absences = absences
        self._absent: Mapping[str, int] = {}
        self._streams: TableStreams | None = None
        self._root = Job()
        self._discoveries: dict[str, Job] = {}
        self._schedule.put(self._root)

    @property
    def trouble(self) -> str:
        off = self._streams.trouble if self._streams else ""
        return "; ".join([off] * bool(off) + self._retries.troubles)

    def lag(self) -> Lag:
        if self._streams is None or not self.lease.token():
            return Lag()
        return worst_lag(stream.lag() for stream in self._streams.streams)

    def status(self) -> StreamStatus | None:
        """Return the state of the table's streams; None before the first listing."""
        streams = self._streams.streams if self._streams else []
        if not streams:
            return None
        shards = [shard for stream in streams for shard in stream.status()]
        return StreamStatus(streams[-1].arn, bool(self.lease.token()), shards)

    def __iter__(self) -> Iterator[StreamBatch]:
        while (job := self._schedule.take()) is not None:
            if not self._is_valid(job):
                continue
            try:
                batch = self._take(job)
            except LeaseLost:
                self._schedule.put(job, STAND_BY)
                continue
            except Exception as error:
                self._retries.failed(job, error)
                continue
            if batch:
                yield batch
                if job.token != self.lease.token():  # the batch may not have been settled
                    self._give_up(job)
            del batch  # free the records while there is nothing to read

    def _is_valid(self, job: Job) -> bool:
        """True if this process holds the lease of the job, and the stream of the job is not retired."""
        token = self.lease.token()
        if job.token == token != 0:
            return job.stream is None or not job.stream.retired
        if job is self._root:
            self._retries.clear()
            self._discoveries.clear()
            job.token = token
            self._streams = self._table_streams(token) if token else None
            self._schedule.put(job, 0.0 if token else STAND_BY)
        else:
            self._give_up(job)
        return False

    def _table_streams(self, token: int) -> TableStreams:
        return TableStreams(self._context, self._table, self._checkpoints, token, self._now, self._observer)

    def _give_up(self, job: Job) -> None:
        """Drop a job after the lease changed, and check the lease at once."""
        self._retries.worked(job)
        self._hasten(self._root, 0.0)

    def _hasten(self, job: Job, delay: float) -> None:
        with self._lock:
            self._schedule.hasten(job, delay)

    def back(self, job: Job, size: int, failure: str = "") -> None:
        """Put back a job that returned `size` records; `failure` is the reason to retry them, "" for none."""
        if job.reader is not None and job.reader.finished:
            self._finish(job)
        elif failure:
            self._retries.later(job, failure)
        else:
            job.failures = job.idle = 0
            assert job.reader is not None
            if job.reader.prefetched:  # run it next, so that each thread holds at most one prefetched page
                job.in_a_row += 1
                self._schedule.put_first(job)
            else:
                job.in_a_row = 0
                self._schedule.put(job, self._rest_after(job.reader, size))

    def reads_on(self, job: Job, size: int) -> bool:
        """True if the job's shard is read again at once after a page of `size` records."""
        assert job.reader is not None
        if self._rest_after(job.reader, size):
            return False
        return job.in_a_row < IN_A_ROW or not self._schedule.is_due()

    def _rest_after(self, reader: ShardReader, size: int) -> float:
        """Return the idle delay in seconds after a page of `size` records."""
        settings = self._context.settings
        return after_records(size, settings.stream_batch_size, reader.lag().unread, settings.poll_interval)

    def _take(self, job: Job) -> StreamBatch | None:
        if job.reader is not None:
            return self._read(job, job.reader)
        if job.stream is not None:
            self._discover(job, job.stream)
        else:
            self._look(job)
        return None

    def _read(self, job: Job, reader: ShardReader) -> StreamBatch | None:
        records = reader.read()
        if not reader.finished and not reader.doubts:
            self._retries.worked(job)
        if records:
            return StreamBatch(self, job, reader, records)
        if reader.finished:
            self._finish(job)
            return None
        job.failures = 0
        job.idle += 1
        self._schedule.put(job, after_nothing(job.idle, self._context.settings.poll_interval))
        return None

    def _finish(self, job: Job) -> None:
        """Remove a shard without more records from the schedule. The list of shards decides what follows."""
        assert job.stream is not None
        assert job.reader is not None
        if job.reader.missing:
            what = f"{self.name}, shard {job.reader.shard}"
            self._retries.trouble(job, f"{what} does not exist, according to AWS; listing the shards to find out")
        job.stream.finish(job.reader)
        discovery = self._discoveries.get(job.stream.arn)
        if discovery is not None:  # None if the lease was lost
            self._hasten(discovery, self._chance() * SOON)

    def _look(self, job: Job) -> None:
        assert self._streams is not None
        absent = self._look_for_absences(self._streams)
        new = sorted(name for name, times in absent.items() if times > self._absent.get(name, 0))
        again = bool(new) and self._streams.resumes
        found = self._streams.look(again)
        self._absent = absent
        if again:
            self._observer.index_missing(self.name, new)
        job.failures = 0
        self._retries.worked(job)
        self._retries.keep({"", *(stream.arn for stream in self._streams.streams)})
        if found is not None:
            discovery = self._discoveries[found.arn] = Job(job.token, found)
            self._schedule.put(discovery)
        elif self._streams.trouble:  # the next stream begins once the listing shows this one as drained
            self._hasten(self._discoveries[self._streams.streams[-1].arn], SOON)
        self._schedule.put(job, STREAMS * (0.5 + self._chance() / 2))

    def _look_for_absences(self, streams: TableStreams) -> Mapping[str, int]:
        """Return how often the table's indices were missing; the last known numbers if that fails."""
        try:
            return self._absences()
        except (Halt, Retry):
            if not streams.streams:
                raise
            return self._absent

    def _discover(self, job: Job, stream: Stream) -> None:
        """List a page of a stream's shards. After the last page, read the readable ones."""
        assert self._streams is not None
        was_drained = stream.drained
        try:
            found = stream.discover()
        except self._context.dynamodb_streams.exceptions.ResourceNotFoundException:
            self._missing(job, stream)
            return
        job.failures = 0
        self._retries.worked(job)
        if found is None:
            self._schedule.put(job, PAGES_APART)
            return
        for reader in found:
            self._begin(Job(job.token, stream, reader), reader.doubts)
        self._retries.keep(stream.shards, stream.arn)
        if stream.drained and not was_drained:
            self._hasten(self._root, 0.0)
        if stream.ended and self._streams.drop(stream):
            return
        with self._lock:
            job.idle = job.idle + 1 if stream.waits else 0
            often = backoff(job.idle, SOON, REDISCOVERY) if job.idle else REDISCOVERY
            at_once = job.token != self.lease.token()
            self._schedule.put(job, 0.0 if at_once else often * (0.5 + self._chance() / 2))

    def _begin(self, job: Job, doubts: int) -> None:
        """Schedule a shard, with a backoff if its end was not confirmed `doubts` times in a row."""
        if doubts:
            job.failures = doubts - 1
            self._retries.later(
                job, "GetRecords reports the end of the shard, but DescribeStream does not: reading on"
            )
        else:
            self._schedule.put(job)

    def _missing(self, job: Job, stream: Stream) -> None:
        """Retry a stream that AWS does not find. The list of streams shows whether it is gone."""
        reason = f"{self.name}: the stream {stream.arn} does not exist, according to AWS"
        self._retries.trouble(job, reason)
        self._hasten(self._root, SOON)
        self._retries.later(job, reason)
