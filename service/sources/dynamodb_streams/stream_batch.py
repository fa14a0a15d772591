"""The jobs of a table's streams, and their batches of records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ...checkpoints.lease import Lease, check
from ...model import Record
from ...pipeline import Delivery, Report
from .shard_discovery import Stream
from .shard_reader import ShardReader


@dataclass(eq=False)
class Job:
    """A job in the schedule: read a shard, list the shards of a stream or, without both, list the table's streams.

    A job is dropped if the lease's token differs from its `token`, or if its stream is retired.
    """

    token: int = 0
    stream: Stream | None = None
    reader: ShardReader | None = None
    idle: int = 0
    in_a_row: int = 0
    failures: int = 0

    @property
    def name(self) -> tuple[str, str]:
        """The stream and the shard, which identify the job within the table."""
        return self.stream.arn if self.stream else "", self.reader.shard if self.reader else ""


class Shards(Protocol):
    """The methods of its source that a batch calls."""

    name: str
    lease: Lease

    def reads_on(self, job: Job, size: int) -> bool: ...

    def back(self, job: Job, size: int, failure: str = "") -> None: ...


@dataclass(frozen=True, eq=False)
class StreamBatch:
    """Records of one shard, in order. No other thread reads the shard until the batch is settled."""

    source: Shards
    job: Job
    reader: ShardReader
    records: Sequence[Record]

    @property
    def delivery(self) -> Delivery:
        """The records. The shard's next page is prefetched, unless it is not read at once after this one."""
        read_on = self.source.reads_on(self.job, len(self.records))
        return Delivery(
            self.records,
            self.source.name,
            fence=partial(check, self.source.lease, self.job.token),
            prefetch=self.reader.read_ahead if read_on else None,
        )

    def settle(self, report: Report) -> None:
        """Store the checkpoint, and put the job back into the schedule.

        Raises LeaseLost, and Halt if the checkpoint cannot be stored; the batch can then be settled again.
        """
        done = self.reader.settle(self.records, report)
        self.source.back(self.job, len(self.records), "" if done else report.results[report.undone[0]].summary)
