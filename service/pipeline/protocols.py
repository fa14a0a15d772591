"""What the dispatcher asks of the world around it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..context import Context
from ..model import Change, Record
from ..model.outcomes import Report, Result
from ..routing import Action, Index
from .prefetch import Meanwhile


@dataclass(slots=True, eq=False)
class Write:
    """One action with all that its route's declaration and its record say of it. It never changes; only that this
    is checked, for each field of each record, would take as long as all else that is done with it.

    `target` is the index or table as it is named where it exists, or the database. `id` is the document's id, ""
    for a table, whose items carry their keys, and for a database the route and the action's number: what was done
    with a record is known by that. `version` is the external version, None where the index keeps none. A `strict`
    write changes nothing where the document has the same version: that may be of another change.
    """

    record: Change
    action: Action
    target: str
    id: str
    version: int | None
    strict: bool = False

    @property
    def kind(self) -> str:
        """The action's name."""
        return "Index" if isinstance(self.action, Index) else type(self.action).__name__


class Sink(Protocol):
    """Where writes go."""

    def write(self, writes: Sequence[Write]) -> list[Result]:
        """Carries the writes out and says for each, in order, how it ended.

        A failure of one is its result. Raises Halt when every write would fail until somebody mends something.
        """
        ...


class DocumentSink(Protocol):
    """Where documents go: a server that takes its time for many at once."""

    def write(self, writes: Sequence[Write], meanwhile: Meanwhile | None = None) -> list[Result]:
        """The same. What there is to do meanwhile, which raises nothing, may be done before there are answers."""
        ...


@dataclass(frozen=True, slots=True)
class Sinks:
    """Where actions go, by what they are of: documents, items of DynamoDB, rows of the SQL database."""

    search: DocumentSink
    table: Sink
    rows: Sink


@dataclass(frozen=True, slots=True)
class Letter:
    """A record that can never succeed, with the route that failed and why. `route` is "" if none was found."""

    record: Record
    route: str
    result: Result


class LetterStore(Protocol):
    """Where dead letters are kept."""

    def store(self, letters: Sequence[Letter]) -> None:
        """Keeps the letters; the same record and route again is kept once. Raises Halt when it cannot."""
        ...


class Batch(Protocol):
    """Records delivered together, and the way to tell their source what became of them."""

    source: str
    records: Sequence[Record]

    @property
    def read_ahead(self) -> Meanwhile | None:
        """Reads what comes next from the source, and keeps it until it is asked for; raises nothing. None where
        nothing is gained by it."""
        ...

    def time_left(self) -> float:
        """Seconds until the source delivers the batch to somebody else; infinite where it never does."""
        ...

    def check(self) -> None:
        """Raises LeaseLost where the batch is another process's by now: asked before each request to a sink."""
        ...

    def settle(self, report: Report) -> None:
        """Tells the source which records are done, so that only the others come again."""
        ...


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a source is behind, in seconds.

    `unread` is the age of the oldest record that is not done, as far as it is known; 0 with nothing to read.
    `left` is the time until that record is lost, `checkpoint` the age of the oldest position that is not renewed.
    """

    unread: float = 0.0
    left: float = math.inf
    checkpoint: float = 0.0


class Source(Protocol):
    """Where batches come from.

    As many as `workers` threads may iterate at the same time; each asks for its next batch only when its last is
    settled.
    """

    name: str
    workers: int

    @property
    def trouble(self) -> str:
        """Why some of it cannot be read until somebody mends it; "" while all can."""
        ...

    def lag(self) -> Lag:
        """How far it is behind."""
        ...

    def __iter__(self) -> Iterator[Batch]: ...


class Dispatches(Protocol):
    """What takes batches: see Dispatcher.dispatch."""

    def dispatch(
        self,
        batch: Sequence[Record],
        source: str = "",
        context: Context | None = None,
        *,
        within: float = math.inf,
        comes_again: bool = True,
        meanwhile: Meanwhile | None = None,
    ) -> Report:
        """Says of each record, in order, how it ended. Raises Halt when every record would fail."""
        ...
