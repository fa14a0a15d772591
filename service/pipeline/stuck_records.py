"""Reject records that would block others for ever, and records that are not redelivered."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Lock
from typing import Final

from ..errors import Halt
from ..model import Record, Undecodable
from ..model.outcomes import OUT_OF_TIME, SUCCEEDED, Lasting, Outcome, Result
from ..routing import Delete, Index
from .delivery import Fence, Task, Write
from .protocols import DocumentSink
from .route_calls import SEARCHES

PROBE: Final = "~probe"
"""An id that no document has: in ids, `~` is always followed by n, b, h, ~, | or /."""

TRIES: Final = 3
"""Consecutive failed tries or deliveries before a record is rejected."""

MOST: Final = 10_000
"""Maximum number of records whose failures are remembered."""


class StuckRecords:
    """Find records that fail for `retry_for` seconds while others succeed. Thread-safe.

    `failures` counts them by record between deliveries, for at most MOST records. `age` returns the seconds since
    the change of a record. A record without a time (infinite age) is never rejected here.
    """

    def __init__(self, age: Callable[[Record], float], retry_for: float):
        self._age = age
        self._retry_for = retry_for
        self.failures: OrderedDict[int, int] = OrderedDict()
        self._lock = Lock()

    def give_up(self, failed: Sequence[Task], tasks: Sequence[Task], search: DocumentSink, fence: Fence) -> None:
        """Reject the stuck tasks among the failed tasks of a delivery, for any kind of failure. Raises Halt.

        A task is stuck if it fails in TRIES deliveries in which others succeed; a search index must accept another
        write as well. A server with occasional errors may fail a few times on one record, but not for `retry_for`.
        """
        stuck = [task for task in failed if task.failed and self._retry_for < self._age(task.record) < math.inf]
        if not stuck:
            return
        others = _Others(tasks, search, fence)
        for task in stuck:
            if others.succeed(task) and self._add(task) >= TRIES:
                assert task.failed is not None
                why = f"failed for more than {self._retry_for:.0f} s while others succeed"
                task.results = [task.failed.given_up(why)]

    def forget(self, tasks: Sequence[Task]) -> None:
        """Forget the failures of the tasks that can be acknowledged."""
        with self._lock:
            for task in tasks:
                if task.result.outcome.done:
                    self.failures.pop(_key_of(task), None)

    def _add(self, task: Task) -> int:
        key = _key_of(task)
        with self._lock:
            count = self.failures[key] = self.failures.pop(key, 0) + 1
            while len(self.failures) > MOST:
                self.failures.popitem(last=False)
        return count


def note_failures(tasks: Sequence[Task]) -> None:
    """Record the failures of one try that are not shared."""
    for task in tasks:
        result = task.result
        if result.outcome is Outcome.RETRY and not result.shared:
            task.failed = result
            task.failing = [w for w, r in zip(task.writes, task.results, strict=False) if not r.outcome.done]


def conclude(tasks: Sequence[Task], tries: int) -> None:
    """Apply the `lasting` consequence of tasks that failed in every try of this delivery.

    REJECT (the document may be the cause): the task is rejected after TRIES failures. HALT (the response is not
    from a search server): raises Halt, unless the search server accepted other writes.
    """
    lasting = [task for task in tasks if task.result.lasting is not None]
    for task in lasting:
        if task.result.lasting is Lasting.REJECT and tries >= TRIES:
            task.results = [task.result.given_up(f"failed after {tries} tries")]
    halting = next((task for task in lasting if task.result.lasting is Lasting.HALT), None)
    written = (task for task in tasks if task.result.outcome in SUCCEEDED)
    if halting and not any(isinstance(write.action, SEARCHES) for task in written for write in task.writes):
        raise Halt(halting.result.summary)


def dead_letter_undelivered(tasks: Sequence[Task]) -> None:
    """Reject all unfinished tasks, because their source does not redeliver."""
    for task in tasks:
        if not task.result.outcome.done:
            task.results = [task.result.given_up("not redelivered by its source")]


def probe_of(write: Write) -> Write:
    """Return a test write to the same index: the delete of a document that does not exist."""
    return replace(write, action=Delete(), id=PROBE, version=None if write.version is None else 1)


class _Others:
    """Checks if other tasks than the stuck ones succeed in a delivery."""

    def __init__(self, tasks: Sequence[Task], search: DocumentSink, fence: Fence):
        good = [task for task in tasks if task.result.outcome in SUCCEEDED]
        self._routes = {task.route for task in good}
        writes = [write for task in good for write in task.writes]
        self._targets = {write.target for write in writes}
        self._pipelines = {write.pipeline for write in writes if isinstance(write.action, Index)}
        self._search = search
        self._fence = fence
        self._probes: dict[str, Result] = {}

    def succeed(self, task: Task) -> bool:
        """True if other tasks succeed on the target or route where this task fails."""
        if not task.failing:
            return task.route in self._routes
        return any(self._takes_another(write) for write in task.failing)

    def _takes_another(self, write: Write) -> bool:
        beside = write.target in self._targets
        if not isinstance(write.action, SEARCHES):
            return beside
        if write.pipeline and isinstance(write.action, Index):  # the probe passes through no pipeline
            return write.pipeline in self._pipelines
        if write.target not in self._probes:
            (self._probes[write.target],) = self._search.write([probe_of(write)], self._fence)
        result = self._probes[write.target]
        if result is OUT_OF_TIME:
            return beside
        return result.outcome in SUCCEEDED


def _key_of(task: Task) -> int:
    record = task.record
    if isinstance(record, Undecodable):
        return hash((task.route, record.identifier))
    return hash((task.route, record.subject, record.version, record.event))
