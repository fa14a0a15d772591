"""A source that reads partitions page by page: the segments of a table, or the files of an export."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Protocol

from ..checkpoints.lease import check
from ..checkpoints.stores import ENDED, Checkpoint, Checkpoints
from ..errors import Halt, Unreachable
from ..model import Record
from ..model.outcomes import Outcome
from ..pipeline import Delivery, Lag, Report
from ..pipeline.error_outcomes import result_of
from ..retry_policy import RetryPause

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Page:
    """Some records, and the position after them: ENDED if there are no more.

    `time` is when they were read, in Unix seconds; `units` is the read capacity used.
    """

    records: Sequence[Record]
    after: str
    time: float
    units: float = 0.0


class Part(Protocol):
    """A partition. One thread at a time reads it."""

    @property
    def name(self) -> str:
        """The name of the partition, unique within its source."""
        ...

    def read(self, after: str) -> Page:
        """Return the page after a position; "" for the first page. Raises Halt, and what its client raises."""
        ...


@dataclass(frozen=True, eq=False)
class PartBatch:
    """A page of a partition. Its unfinished records are retried before the next page."""

    source: PartSource
    state: State
    token: int
    records: Sequence[Record]

    @property
    def delivery(self) -> Delivery:
        """The records. The next page of the partition is prefetched."""
        fence = partial(check, self.source.checkpoints.lease, self.token)
        return Delivery(self.records, self.source.name, fence=fence, prefetch=self.state.read_ahead)

    def settle(self, report: Report) -> None:
        """Keep the unfinished records for a retry; if there are none, advance the position.

        Raises Halt if the position cannot be stored, and LeaseLost if another process holds the lease.
        """
        self.state.rest = [self.records[position] for position in report.undone]
        if not self.state.rest:
            self.source.move_on(self.state)


class State:
    """The progress of a partition: the current `page` follows the position `after`."""

    def __init__(self, part: Part, at: Checkpoint | None):
        self.part = part
        self.after = at.position if at else ""
        self.rest: Sequence[Record] = []
        self.page: Page | None = None
        self._ahead: tuple[str, Page] | None = None

    def read(self) -> Page:
        """Return the next page. Raises Halt, and what the partition's client raises."""
        ahead, self._ahead = self._ahead, None
        return ahead[1] if ahead is not None and ahead[0] == self.after else self.part.read(self.after)

    def read_ahead(self) -> None:
        """Prefetch the page after the current one. An error is ignored: the next `read` meets it again."""
        if self.page is None or self.page.after == ENDED or self._ahead is not None:
            return
        try:
            self._ahead = self.page.after, self.part.read(self.page.after)
        except Exception as error:
            logger.debug("prefetch failed", extra={"part": self.part.name, "reason": type(error).__name__})

    @property
    def ended(self) -> bool:
        return self.after == ENDED


class PartSource:
    """All records of some partitions, until `stopping` is set.

    Up to `workers` threads may iterate; each reads one partition after the other. Positions are stored under the
    name `job`, so that an interrupted job continues from them.
    """

    def __init__(
        self,
        name: str,
        parts: Sequence[Part],
        workers: int,
        checkpoints: Checkpoints,
        job: str,
        stopping: Event,
    ):
        """Wait for the lease of the checkpoints. Raises Halt, LeaseLost, and what boto3 raises."""
        self.name = name
        self.workers = workers
        self.trouble = ""
        self.checkpoints = checkpoints
        self._parts = parts
        self._job = job
        self._stopping = stopping
        self._states: list[State] = []
        self._waiting: deque[State] = deque()
        self._token = self._wait_for_lease()
        self._begin(checkpoints.claim(self._job, self._token))

    @property
    def resumed(self) -> bool:
        """True if this job was interrupted before."""
        return any(state.after for state in self._states)

    @property
    def complete(self) -> bool:
        """True if every partition was read to its end."""
        return all(state.ended for state in self._states)

    def lag(self) -> Lag:
        return Lag()

    def restart(self) -> None:
        """Read all partitions again from the beginning."""
        self._begin({})

    def forget(self) -> None:
        """Remove the stored positions, so that the next run of this job starts from the beginning."""
        for state in self._states:
            self.checkpoints.remove(self._job, state.part.name, self._token)

    def move_on(self, state: State) -> None:
        """Store the position after the current page, which is finished."""
        page, state.page = state.page, None
        assert page is not None
        state.after = page.after
        self.checkpoints.write(self._job, state.part.name, Checkpoint(page.after, page.time), self._token)

    def __iter__(self) -> Iterator[PartBatch]:
        while not self._stopping.is_set():
            try:
                state = self._waiting.popleft()
            except IndexError:
                return
            yield from self._read(state)

    def _begin(self, positions: Mapping[str, Checkpoint]) -> None:
        self._states = [State(part, positions.get(part.name)) for part in self._parts]
        self._waiting = deque(state for state in self._states if not state.ended)

    def _wait_for_lease(self) -> int:
        while not self._stopping.is_set():
            token = self.checkpoints.lease.token()
            if token:
                return token
            self._stopping.wait(0.2)
        return 0

    def _read(self, state: State) -> Iterator[PartBatch]:
        """Yield the pages of a partition, until its end. Raises Halt."""
        pause = RetryPause(f"{self.name}, partition {state.part.name}", self._stopping)
        while not self._stopping.is_set() and not state.ended:
            if not state.rest:
                state.page = self._page(state, pause)
                if state.page is None:
                    continue
            records = state.rest or state.page.records if state.page else ()
            if records:
                yield PartBatch(self, state, self._token, records)
            else:
                self.move_on(state)

    def _page(self, state: State, pause: RetryPause) -> Page | None:
        """Return the next page; None if the read failed and is to be retried. Raises Halt."""
        try:
            page = state.read()
        except Unreachable as error:
            pause.longer(str(error))
            return None
        except Exception as error:
            result = result_of(error, self.name)
            if result.outcome is not Outcome.RETRY:
                raise Halt(result.reason) from error
            pause.longer(result.reason)
            return None
        pause.reset()
        return page
