"""The streams of one table as a source: several threads take turns at its shards."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event, Lock
from typing import Final

from ...backoff import backoff
from ...context import Context
from ...dispatch import SILENT, Lag, Observer, Report
from ...dispatch.ahead import Meanwhile
from ...dispatch.failures import result_of
from ...dispatch.outcomes import Outcome
from ...errors import Halt, LeaseLost
from ...records import Record
from ..checkpoints import LATEST, Checkpoints
from ..lease import check
from ..pauses import pause_after, tell
from ..timing import REAL, Timing
from .discovery import Stream
from .listing import enabled_stream, list_streams
from .pacing import SHORTEST, after_nothing, after_records
from .reader import ShardReader
from .schedule import Schedule
from .status import StreamStatus

logger = logging.getLogger(__name__)

REDISCOVERY: Final = 60.0
"""Seconds, about, between two looks for new shards."""

SOON: Final = 1.0
"""Seconds, about, until the first look for the children of a shard that has ended."""

STAND_BY: Final = 1.0
"""Seconds between two looks whether this process holds the lease."""

PAGES_APART: Final = 0.1
"""Seconds between two pages of shards: ten a second are allowed ("DescribeStream", Streams API Reference)."""


@dataclass(eq=False)
class Turn:
    """A reader's place in the schedule; without a reader it is that of looking for shards.

    It is worth nothing once the lease has another `token` than the turn.
    """

    token: int = 0
    reader: ShardReader | None = None
    stream: Stream | None = None
    idle: int = 0
    failures: int = 0


class StreamBatch:
    """Records of one shard, in order. Until it is settled nobody else reads the shard."""

    def __init__(self, source: StreamSource, turn: Turn, reader: ShardReader, records: Sequence[Record]):
        self.source = source.name
        self.records = records
        self._from = source
        self._turn = turn
        self._reader = reader

    def time_left(self) -> float:
        return math.inf

    @property
    def read_ahead(self) -> Meanwhile | None:
        """Reads the shard's next page, where it would be read at once after this one."""
        rests = self._from.rest_after(self._reader, len(self.records))
        return None if rests else self._reader.read_ahead

    def check(self) -> None:
        check(self._from.lease, self._turn.token)

    def settle(self, report: Report) -> None:
        """Raises LeaseLost, and Halt where the checkpoint cannot be kept; the batch can then be settled again."""
        done = self._reader.settle(self.records, report)
        self._from.back(self._turn, len(self.records), "" if done else report.results[report.undone[0]].summary)


class StreamSource:
    """Batches of the records of a table's streams, until `stopping` is set.

    Each thread that iterates gets batches of other shards; the order within each shard is kept, and a child comes
    after its parent. What fails with one shard is tried again after growing pauses and holds up no other.
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
    ):
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
        self._schedule: Schedule[Turn] = Schedule(stopping, timing)
        self._halted: dict[Turn, str] = {}
        self._discovery = Turn()
        self._schedule.put(self._discovery)

    @property
    def trouble(self) -> str:
        return "; ".join(list(self._halted.values()))

    def lag(self) -> Lag:
        stream = self._discovery.stream
        return stream.lag() if stream is not None and self.lease.token() else Lag()

    def status(self) -> StreamStatus | None:
        """Where reading the table's stream stands; None before the first look at it."""
        stream = self._discovery.stream
        if stream is None:
            return None
        return StreamStatus(stream.arn, bool(self.lease.token()), stream.status())

    def __iter__(self) -> Iterator[StreamBatch]:
        while (turn := self._schedule.take()) is not None:
            if not self._is_valid(turn):
                continue
            try:
                batch = self._take(turn)
            except LeaseLost:
                self._schedule.put(turn, STAND_BY)
                continue
            except Exception as error:
                self._failed(turn, error)
                continue
            self._halted.pop(turn, None)
            if batch:
                yield batch
                if turn.token != self.lease.token():  # it may never have been settled
                    self._give_up(turn)
            del batch  # what was read is not kept while there is nothing to read

    def _is_valid(self, turn: Turn) -> bool:
        """Whether this process still holds the lease that the turn is of; else another has read on."""
        token = self.lease.token()
        if turn.token == token != 0:
            return True
        if turn is self._discovery:
            self._halted.pop(turn, None)
            turn.token, turn.stream = token, None
            self._schedule.put(turn, 0.0 if token else STAND_BY)
        else:
            self._give_up(turn)
        return False

    def _give_up(self, turn: Turn) -> None:
        """Leaves a shard to whoever holds the lease now, and looks at once who that is."""
        self._halted.pop(turn, None)
        with self._lock:
            self._schedule.hasten(self._discovery, 0.0)

    def back(self, turn: Turn, size: int, failure: str = "") -> None:
        """Ends a turn that gave `size` records; `failure` is why what was read has to come again."""
        if turn.reader is not None and turn.reader.finished:
            self._finish(turn)
        elif failure:
            self._later(turn, failure)
        else:
            turn.failures = turn.idle = 0
            assert turn.reader is not None
            self._schedule.put(turn, self.rest_after(turn.reader, size))

    def rest_after(self, reader: ShardReader, size: int) -> float:
        """Seconds that a shard rests after a page of `size` records."""
        settings = self._context.settings
        return after_records(size, settings.stream_batch_size, reader.lag().unread, settings.poll_interval)

    def _take(self, turn: Turn) -> StreamBatch | None:
        """Does what it is the turn of."""
        if turn.reader is not None:
            return self._read(turn, turn.reader)
        self._discover(turn)
        return None

    def _read(self, turn: Turn, reader: ShardReader) -> StreamBatch | None:
        records = reader.read()
        if records:
            return StreamBatch(self, turn, reader, records)
        if reader.finished:
            self._finish(turn)
            return None
        turn.failures = 0
        turn.idle += 1
        self._schedule.put(turn, after_nothing(turn.idle, self._context.settings.poll_interval))
        return None

    def _finish(self, turn: Turn) -> None:
        """Takes a shard that is read to its end out of the schedule, and has its children looked for."""
        assert turn.stream is not None
        assert turn.reader is not None
        with self._lock:
            turn.stream.finish(turn.reader)
            self._schedule.hasten(self._discovery, self._chance() * SOON)

    def _discover(self, turn: Turn) -> None:
        """Looks for shards, and for the next stream once this one is at its end."""
        stream = turn.stream = turn.stream or self._stream_after(None, turn.token)
        try:
            found = stream.discover()
        except self._context.dynamodb_streams.exceptions.ResourceNotFoundException:
            turn.stream = None  # the table was deleted, and may have been made anew
            raise
        if found is None:
            turn.failures = 0
            self._schedule.put(turn, PAGES_APART)
            return
        turn.stream = self._stream_after(stream, turn.token) if stream.ended else stream
        for reader in found:
            self._schedule.put(Turn(turn.token, reader, stream))
        with self._lock:
            turn.failures = 0
            turn.idle = turn.idle + 1 if stream.waits else 0
            often = backoff(turn.idle, SOON, REDISCOVERY) if turn.idle else REDISCOVERY
            at_once = turn.stream.arn != stream.arn or turn.token != self.lease.token()
            self._schedule.put(turn, 0.0 if at_once else often * (0.5 + self._chance() / 2))

    def _stream_after(self, before: Stream | None, token: int) -> Stream:
        """The stream to read first, or next if there is one. Raises Halt, and what boto3 raises."""
        settings, client = self._context.settings, self._context.dynamodb_streams
        arns = list_streams(client, self._table) or [enabled_stream(self._context.dynamodb, self._table)]
        if before is not None:
            later = arns[arns.index(before.arn) + 1 :] if before.arn in arns else arns
            if not later:
                return before
            logger.warning(
                "the stream was enabled anew: it does not have what was written while it was off",
                extra={"table": self._table, "stream": later[0], "before": before.arn},
            )
            arns = later
        elif settings.start_at == LATEST:
            arns = [arn for arn in arns[:-1] if self._checkpoints.read(arn)] + arns[-1:]
        return Stream(
            arns[0],
            client,
            self._checkpoints,
            token,
            settings.start_at,
            settings.stream_batch_size,
            self._now,
            self._observer,
        )

    def _failed(self, turn: Turn, error: Exception) -> None:
        """Has a turn tried again later. Raises Halt where halts are to end the service."""
        where = f"{self.name}, shard {turn.reader.shard}" if turn.reader else self.name
        try:
            result = result_of(error, where)
            halt = None if result.outcome is Outcome.RETRY else Halt(result.reason)
        except Halt as found:
            halt, result = found, None
        if halt is None:
            assert result is not None
            self._later(turn, result.reason)
            return
        self._halted[turn] = str(halt)
        self._later(turn, str(halt), halted=True)
        if self._context.settings.on_halt == "exit":
            raise halt from error

    def _later(self, turn: Turn, reason: str, halted: bool = False) -> None:
        turn.failures += 1
        pause = pause_after(turn.failures, SHORTEST, self._chance)
        tell(self.name, reason, pause, halted)
        self._schedule.put(turn, pause)
