"""Observers of the pipeline: logs, metrics, traces and the page."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from ..model.outcomes import Outcome, Report
from .delivery import Task
from .error_outcomes import trail_of
from .protocols import DeadLetter

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dispatched:
    """The results of a batch: per record in `report`, and per record and route in `tasks`."""

    source: str
    report: Report
    tasks: Sequence[Task]
    letters: Sequence[DeadLetter]
    seconds: float

    @cached_property
    def tally(self) -> Counter[tuple[str, Outcome, float | None]]:
        """The number of records by route ("" if none), outcome and time, counted once for all observers."""
        return Counter(
            [
                (bound.name if (bound := task.bound) else "", task.result.outcome, task.record.created)
                for task in self.tasks
            ]
        )

    @cached_property
    def ends(self) -> Counter[tuple[str, Outcome]]:
        """The number of records by route and outcome."""
        ends: Counter[tuple[str, Outcome]] = Counter()
        for (route, outcome, _), count in self.tally.items():
            ends[route, outcome] += count
        return ends


OK: Final = 200

NO_ANSWER: Final = 504
"""The status of a request without a response: HTTP 504, gateway timeout."""


@dataclass(frozen=True, slots=True)
class Request:
    """A write request to a sink: "search", "table" or "sql". `size` in bytes; `status` 504 if unanswered."""

    sink: str
    actions: int
    size: int
    seconds: float
    status: int


class Observer:
    """An observer that ignores all events. Subclasses override methods."""

    def dispatched(self, done: Dispatched) -> None:
        """Handle the end of a batch."""

    def retrying(self, tasks: Sequence[Task], pause: float) -> None:
        """Handle a retry of tasks after `pause` seconds."""

    def requested(self, request: Request) -> None:
        """Handle the end of a request to a sink, with or without a response."""

    def reindexed(self, route: str, documents: int, queued: bool) -> None:
        """Handle documents that records wanted to be made again: made here, or `queued` as tasks."""

    def made_again(self, tasks: Sequence[Task]) -> None:
        """Handle the tasks of documents that were made again here for other records."""

    def lost(self, source: str, shard: str, since: float, until: float) -> None:
        """Handle lost records: `shard` no longer has the changes from `since` until `until` (Unix seconds)."""

    def index_missing(self, source: str, indices: Sequence[str]) -> None:
        """Handle missing indices of a table, whose streams are then read again from their oldest records."""

    def redelivered(self, source: str, messages: int) -> None:
        """Handle the redelivery of this number of queue messages."""

    def given_up(self, source: str, messages: int) -> None:
        """Handle messages that reached the queue's maximum receive count and go to its dead-letter queue."""

    def step(self, kind: str, name: str, of: Sequence[Any] = ()) -> AbstractContextManager[None]:
        """Return a context manager around one step. `of` has the step's input:

        - kind "decode", name of the source: raw records or messages
        - kind "batch", name of the source: records that this thread decoded before
        - kind "route" in a batch, name of the route: its tasks
        - kind "request" in a batch, name of the sink: empty
        """
        return NOTHING

    @contextmanager
    def request(
        self, sink: str, actions: int, size: int, status_of: Callable[[Exception], int | None]
    ) -> Iterator[list[float]]:
        """Observe a write request in a `with` block, and call `requested` at its end.

        `status_of` returns the HTTP status of an error, `size` is in bytes. If the block also does other work,
        append `time.monotonic()` to the yielded list at the end of the request.
        """
        began, status = time.monotonic(), NO_ANSWER
        ended: list[float] = []
        with self.step("request", sink):
            try:
                yield ended
                status = OK
            except Exception as error:
                status = status_of(error) or NO_ANSWER
                raise
            finally:
                seconds = (ended[0] if ended else time.monotonic()) - began
                self.requested(Request(sink, actions, size, seconds, status))


NOTHING: Final = nullcontext()
"""The step if no observer overrides `step`."""

SILENT: Final = Observer()


class Observers(Observer):
    """Pass each event to several observers."""

    def __init__(self, *observers: Observer):
        self._observers: list[Observer] = []
        self._steps: list[Callable[..., AbstractContextManager[None]]] = []
        self.add(*observers)

    def add(self, *observers: Observer) -> None:
        """Add observers for all later events."""
        for observer in observers:
            self._observers.append(observer)
            if type(observer).step is not Observer.step:
                self._steps.append(observer.step)

    def dispatched(self, done: Dispatched) -> None:
        self._notify("dispatched", done)

    def retrying(self, tasks: Sequence[Task], pause: float) -> None:
        self._notify("retrying", tasks, pause)

    def requested(self, request: Request) -> None:
        self._notify("requested", request)

    def reindexed(self, route: str, documents: int, queued: bool) -> None:
        self._notify("reindexed", route, documents, queued)

    def made_again(self, tasks: Sequence[Task]) -> None:
        self._notify("made_again", tasks)

    def lost(self, source: str, shard: str, since: float, until: float) -> None:
        self._notify("lost", source, shard, since, until)

    def index_missing(self, source: str, indices: Sequence[str]) -> None:
        for observer in self._observers:
            observer.index_missing(source, indices)

    def redelivered(self, source: str, messages: int) -> None:
        self._notify("redelivered", source, messages)

    def given_up(self, source: str, messages: int) -> None:
        self._notify("given_up", source, messages)

    def _notify(self, event: str, *arguments: object) -> None:
        """Call the method `event` of each observer. A failure is logged and affects nothing else."""
        for observer in self._observers:
            try:
                getattr(observer, event)(*arguments)
            except Exception as error:
                extra = {"observer": type(observer).__name__, "reason": f"unexpected {trail_of(error)}"}
                logger.error("observer failed", extra=extra)

    def step(self, kind: str, name: str, of: Sequence[Any] = ()) -> AbstractContextManager[None]:
        return self._all(kind, name, of) if self._steps else NOTHING

    @contextmanager
    def _all(self, kind: str, name: str, of: Sequence[Any]) -> Iterator[None]:
        with ExitStack() as stack:
            for step in self._steps:
                stack.enter_context(step(kind, name, of))
            yield
