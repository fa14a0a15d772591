"""Who is told what happens: logs, metrics, traces, the page."""

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
from .error_outcomes import trail_of
from .protocols import Letter
from .route_calls import Task

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dispatched:
    """What became of a batch: of each record in `report`, of each record on each of its routes in `tasks`."""

    source: str
    report: Report
    tasks: Sequence[Task]
    letters: Sequence[Letter]
    seconds: float

    @cached_property
    def tally(self) -> Counter[tuple[str, Outcome, float | None]]:
        """How many records ended how on which route ("" without one), by the time of their change; counted once
        for all who are told."""
        return Counter(
            [
                (bound.name if (bound := task.bound) else "", task.result.outcome, task.record.created)
                for task in self.tasks
            ]
        )

    @cached_property
    def ends(self) -> Counter[tuple[str, Outcome]]:
        """How many records ended how on which route."""
        ends: Counter[tuple[str, Outcome]] = Counter()
        for (route, outcome, _), count in self.tally.items():
            ends[route, outcome] += count
        return ends


OK: Final = 200

NO_ANSWER: Final = 504
"""As a gateway says it."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that wrote to a sink: "search" or "table"; `status` is 504 where there was no answer."""

    sink: str
    actions: int
    size: int
    seconds: float
    status: int


class Watch:
    """How long a `with` block took, or how long ago it was made where there was none."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._ended: float | None = None

    @property
    def seconds(self) -> float:
        return (time.monotonic() if self._ended is None else self._ended) - self._began

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *error: object) -> None:
        self._ended = time.monotonic()


class Observer:
    """Is told of nothing; what derives from it overrides what it wants to know."""

    def dispatched(self, done: Dispatched) -> None:
        """A batch is done."""

    def retrying(self, tasks: Sequence[Task], pause: float) -> None:
        """These tasks are tried again after a pause in seconds."""

    def requested(self, request: Request) -> None:
        """A request to a sink was answered, or was not."""

    def lost(self, source: str, shard: str, since: float, until: float) -> None:
        """A stream no longer has the records that a shard's position leads to; Unix seconds."""

    def index_missing(self, source: str, indices: Sequence[str]) -> None:
        """Indices of a table were missing: the table's streams are read again from their oldest record."""

    def redelivered(self, source: str, messages: int) -> None:
        """So many messages of a queue came that had come before."""

    def given_up(self, source: str, messages: int) -> None:
        """So many messages failed for the last time that their queue allows: its dead-letter queue has them."""

    def step(self, kind: str, name: str, of: Sequence[Any] = ()) -> AbstractContextManager[None]:
        """A part of the work, for as long as the `with` block lasts, and what it works on.

        "decode": the raw records or messages of a source. "batch": the records of a source, which this thread has
        decoded before. Within it "route": the tasks of a route; "request": nothing, of a sink.
        """
        return NOTHING

    @contextmanager
    def request(
        self, sink: str, actions: int, size: int, status_of: Callable[[Exception], int | None]
    ) -> Iterator[Watch]:
        """A request that writes, for as long as the `with` block lasts; told then, by the status of its error.

        It took as long as the watch ran, where that was used because something else is done in the block, too.
        """
        watch, status = Watch(), NO_ANSWER
        with self.step("request", sink):
            try:
                yield watch
                status = OK
            except Exception as error:
                status = status_of(error) or NO_ANSWER
                raise
            finally:
                self.requested(Request(sink, actions, size, watch.seconds, status))


NOTHING: Final = nullcontext()
"""What a step is where nobody wants to know of it."""

SILENT: Final = Observer()


class Observers(Observer):
    """Several observers that are told the same."""

    def __init__(self, *observers: Observer):
        self._observers: list[Observer] = []
        self._steps: list[Callable[..., AbstractContextManager[None]]] = []
        self.add(*observers)

    def add(self, *observers: Observer) -> None:
        """Has others told too, from now on."""
        for observer in observers:
            self._observers.append(observer)
            if type(observer).step is not Observer.step:
                self._steps.append(observer.step)

    def dispatched(self, done: Dispatched) -> None:
        self._tell(lambda observer: observer.dispatched(done))

    def retrying(self, tasks: Sequence[Task], pause: float) -> None:
        self._tell(lambda observer: observer.retrying(tasks, pause))

    def requested(self, request: Request) -> None:
        self._tell(lambda observer: observer.requested(request))

    def lost(self, source: str, shard: str, since: float, until: float) -> None:
        self._tell(lambda observer: observer.lost(source, shard, since, until))

    def index_missing(self, source: str, indices: Sequence[str]) -> None:
        for observer in self._observers:
            observer.index_missing(source, indices)

    def redelivered(self, source: str, messages: int) -> None:
        self._tell(lambda observer: observer.redelivered(source, messages))

    def given_up(self, source: str, messages: int) -> None:
        self._tell(lambda observer: observer.given_up(source, messages))

    def _tell(self, tell: Callable[[Observer], None]) -> None:
        """Call each observer. One that fails is logged: what it observes goes on, and so do the others."""
        for observer in self._observers:
            try:
                tell(observer)
            except Exception as error:
                extra = {"observer": type(observer).__name__, "reason": f"unexpected {trail_of(error)}"}
                logger.error("an observer failed", extra=extra)

    def step(self, kind: str, name: str, of: Sequence[Any] = ()) -> AbstractContextManager[None]:
        return self._all(kind, name, of) if self._steps else NOTHING

    @contextmanager
    def _all(self, kind: str, name: str, of: Sequence[Any]) -> Iterator[None]:
        with ExitStack() as stack:
            for step in self._steps:
                stack.enter_context(step(kind, name, of))
            yield
