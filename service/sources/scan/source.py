"""Consistent scans of a table's segments, each resumed where it stood."""

from __future__ import annotations

import base64
import json
import math
import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from threading import Event
from typing import Any, Final

from ...context import Context
from ...dispatch import Lag, Report
from ...dispatch.failures import result_of
from ...dispatch.outcomes import Outcome
from ...errors import Halt
from ...records import Record
from ...records.tables import scanned
from ..checkpoints import ENDED, Checkpoint, Checkpoints
from ..lease import check
from ..pauses import Pause
from .pace import ReadPace
from .table import Table, server_time

PAGE: Final = 1000
"""Items of one page at the most; a page has 1 MB at the most ("Scan", DynamoDB API Reference)."""


class ScanBatch:
    """A page of a segment. What of it is not done comes again, before the next page."""

    def __init__(self, source: ScanSource, segment: Segment, token: int, records: Sequence[Record]):
        self.source = source.name
        self.records: Sequence[Record] = records
        self._from = source
        self._segment = segment
        self._token = token

    def time_left(self) -> float:
        return math.inf

    def check(self) -> None:
        check(self._from.checkpoints.lease, self._token)

    def settle(self, report: Report) -> None:
        """Raises Halt where the segment's position cannot be kept, LeaseLost where it is another process's."""
        self._segment.rest = [self.records[position] for position in report.undone]
        if not self._segment.rest:
            self._from.move_on(self._segment)


class Segment:
    """Where one segment stands: behind the key `after`, "" for its beginning."""

    def __init__(self, number: int, at: Checkpoint | None):
        self.name = str(number)
        self.number = number
        self.after: Mapping[str, Any] | None = key_from(at.position) if at and at.position != ENDED else None
        self.ended = at is not None and at.position == ENDED
        self.rest: Sequence[Record] = []
        self.next: Mapping[str, Any] | None = None


class ScanSource:
    """All items of a table, as records to be loaded while its stream is live, until `stopping` is set.

    As many threads as there are `segments` may iterate; each reads one segment after the other. `job` names what
    is done with them: positions are kept under that name, so that a scan that was killed goes on where it stood.
    Of a `share` below 1 only so much of the table is read, by chance.
    """

    def __init__(
        self,
        context: Context,
        table: Table,
        segments: int,
        checkpoints: Checkpoints,
        job: str,
        stopping: Event,
        pace: ReadPace,
        share: float = 1.0,
    ):
        self.name = f"scan of table {table.name}"
        self.workers = segments
        self.trouble = ""
        self.checkpoints = checkpoints
        self._context = context
        self._table = table
        self._job = f"{job}|{table.name}|{segments}"
        self._stopping = stopping
        self._pace = pace
        self._now = table.now
        self._total = math.ceil(segments / share)
        self._segments: list[Segment] = []
        self._waiting: deque[Segment] = deque()
        self._begin(checkpoints.read(self._job))

    @property
    def resumed(self) -> bool:
        """Whether an earlier scan of this job was interrupted."""
        return any(segment.ended or segment.after is not None for segment in self._segments)

    @property
    def complete(self) -> bool:
        """Whether every segment was read to its end."""
        return all(segment.ended for segment in self._segments)

    def lag(self) -> Lag:
        return Lag()

    def restart(self) -> None:
        """Begins anew, whatever was read before."""
        self._begin({})

    def forget(self) -> None:
        """Has the next scan of this job begin anew."""
        for segment in self._segments:
            self.checkpoints.remove(self._job, segment.name)

    def move_on(self, segment: Segment) -> None:
        """The page in hand is done."""
        segment.after = segment.next
        segment.ended = segment.after is None
        position = ENDED if segment.after is None else key_to(segment.after)
        self.checkpoints.write(self._job, segment.name, Checkpoint(position, self._now))

    def __iter__(self) -> Iterator[ScanBatch]:
        token = self._wait_for_lease()
        while not self._stopping.is_set():
            try:
                segment = self._waiting.popleft()
            except IndexError:
                return
            yield from self._read(segment, token)

    def _begin(self, positions: Mapping[str, Checkpoint]) -> None:
        numbers = random.sample(range(self._total), self.workers)
        if self._total == self.workers:
            numbers.sort()
        else:
            positions = {}  # a share is another one each time: there is none to go on with
        self._segments = [Segment(number, positions.get(str(number))) for number in numbers]
        self._waiting = deque(segment for segment in self._segments if not segment.ended)

    def _wait_for_lease(self) -> int:
        while not self._stopping.is_set():
            token = self.checkpoints.lease.token()
            if token:
                return token
            self._stopping.wait(0.2)
        return 0

    def _read(self, segment: Segment, token: int) -> Iterator[ScanBatch]:
        """The pages of a segment, until its end. Raises Halt."""
        pause = Pause(f"{self.name}, segment {segment.name}", self._stopping)
        while not self._stopping.is_set() and not segment.ended:
            records = segment.rest or self._page(segment, pause)
            if records is None:
                continue
            if records:
                yield ScanBatch(self, segment, token, records)
            else:
                self.move_on(segment)

    def _page(self, segment: Segment, pause: Pause) -> Sequence[Record] | None:
        """The next page; None where the table could not be read for now. Raises Halt.

        It is dated by an answer that was given before it was asked for.
        """
        self._pace.wait()
        read_at = self._now
        request: dict[str, Any] = {
            "TableName": self._table.name,
            "Segment": segment.number,
            "TotalSegments": self._total,
            "ConsistentRead": True,
            "Limit": PAGE,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if segment.after is not None:
            request["ExclusiveStartKey"] = segment.after
        try:
            answer = self._context.dynamodb.scan(**request)
        except Exception as error:
            result = result_of(error, self.name)
            if result.outcome is not Outcome.RETRY:
                raise Halt(result.reason) from error
            self._pace.throttled()
            pause.longer(result.reason)
            return None
        pause.reset()
        self._pace.spent(float(answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)))
        self._now = server_time(answer)
        segment.next = answer.get("LastEvaluatedKey")
        return [scanned(item, self._table.keys, self._table.stream, read_at) for item in answer["Items"]]


def key_to(key: Mapping[str, Any]) -> str:
    """A typed key as text; bytes as base64."""
    return json.dumps(key, default=lambda value: base64.b64encode(value).decode("ascii"))


def key_from(text: str) -> dict[str, Any]:
    """The typed key that `key_to` has written."""
    found: dict[str, Any] = json.loads(text)
    return {
        name: {kind: base64.b64decode(value) if kind == "B" else value for kind, value in typed.items()}
        for name, typed in found.items()
    }
