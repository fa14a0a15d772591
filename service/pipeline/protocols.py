"""Protocols of the pipeline: sinks, sources, batches and the dead-letter store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..model import Record
from ..model.outcomes import Report, Result
from .delivery import Delivery, Fence, Write, no_fence
from .prefetch import Prefetch


class Sink(Protocol):
    """A target of writes."""

    def write(self, writes: Sequence[Write], fence: Fence = no_fence) -> list[Result]:
        """Execute the writes and return one result for each, in order. `fence` is called before each request.

        The failure of a single write is its result. Raises Halt if every write would fail until an operator acts,
        and LeaseLost.
        """
        ...


class DocumentSink(Protocol):
    """A sink for documents. One request for many writes takes long enough to overlap with other work."""

    def write(
        self, writes: Sequence[Write], fence: Fence = no_fence, prefetch: Prefetch | None = None
    ) -> list[Result]:
        """Write as in Sink. `prefetch` is work that may overlap with the requests. It must not raise."""
        ...


@dataclass(frozen=True, slots=True)
class Sinks:
    """The sinks for documents, DynamoDB items and SQL rows."""

    documents: DocumentSink
    items: Sink
    rows: Sink


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter: a rejected record, its route ("" if none matched) and the result."""

    record: Record
    route: str
    result: Result


class DeadLetterStore(Protocol):
    """A store of dead letters."""

    def store(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters, each record and route once. Raises Halt if that fails."""
        ...


class Batch(Protocol):
    """Records delivered together, and the operation to acknowledge them."""

    @property
    def delivery(self) -> Delivery:
        """The records and the limits of their processing."""
        ...

    def settle(self, report: Report) -> None:
        """Acknowledge the finished records, so that the source redelivers only the others."""
        ...


@dataclass(frozen=True, slots=True)
class Lag:
    """The lag of a source, in seconds.

    - `unread` is the known age of the oldest unfinished record, or 0 if there is nothing to read.
    - `left` is the time until the source deletes that record.
    - `checkpoint` is the time since the oldest checkpoint was last renewed.
    """

    unread: float = 0.0
    left: float = math.inf
    checkpoint: float = 0.0


class Source(Protocol):
    """A source of batches.

    Up to `workers` threads may iterate at the same time. Each thread settles its batch before it requests the
    next.
    """

    name: str
    workers: int

    @property
    def trouble(self) -> str:
        """The reason why a part of the source is unreadable until an operator acts, or "" if there is none."""
        ...

    def lag(self) -> Lag:
        """Return the current lag."""
        ...

    def __iter__(self) -> Iterator[Batch]: ...


class Dispatches(Protocol):
    """A dispatcher of deliveries. See Dispatcher.run."""

    def run(self, delivery: Delivery) -> Report:
        """Return one result per record, in order. Raises Halt if every record would fail."""
        ...
