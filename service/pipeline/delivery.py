"""The values that the steps of the dispatcher pass on: a delivery, its tasks and their writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..deadline import NO_DEADLINE, Deadline
from ..model import Change, Record
from ..model.outcomes import Result, worst
from ..routing import Action, BoundRoute, Index, Location, Reindex
from .prefetch import Prefetch

Fence: TypeAlias = Callable[[], None]
"""A check that raises LeaseLost if another process may own the records now. Called before each write."""


def no_fence() -> None:
    """Allow every write: the records have no lease."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Records that a source hands to the dispatcher together, with the limits of their processing.

    - `source` is the name of their source in logs and metrics.
    - `deadline` bounds every request made for them, to any server.
    - `fence` is called before each write.
    - `redelivers` is True if the source redelivers what is not finished. Otherwise it becomes a dead letter.
    - `retry_time` limits the retries in seconds, like the setting of this name. With 0 each record is tried once.
    - `prefetch` is work that may overlap with a request to the search server. It is called at most once, and must
      not raise.
    - `invocation` is the Lambda context, which routes find as `context.parent`, or None.
    """

    records: Sequence[Record]
    source: str = ""
    deadline: Deadline = NO_DEADLINE
    fence: Fence = no_fence
    redelivers: bool = True
    retry_time: float = math.inf
    prefetch: Prefetch | None = None
    invocation: Any = None


@dataclass(slots=True, eq=False)
class Write:
    """One action with its target, id and version. Treat it as immutable.

    It is not a frozen dataclass, because creating one takes as long as the rest of the processing of a write.

    - `target` is the actual name of the index, table or database.
    - `id` is the document's id. It is "" for a table, because items contain their keys. For a database it is the
      route and the number of the action, which identify the rows of a record that are already written.
    - `version` is the external version, or None if the index keeps no versions.
    - `pipeline` is the ingest pipeline that the document of an Index passes through, "" if there is none.
    - `routing` is the routing value of a document, or None.
    - A `newer_only` write is not applied if the document has the same version, which may be from another change.
    """

    record: Change
    action: Action
    target: str
    id: str
    version: int | None
    newer_only: bool = False
    pipeline: str = ""
    routing: str | None = None

    @property
    def location(self) -> Location:
        """The location of the document that this write changes."""
        return Location(self.target, self.id, self.routing)

    @property
    def kind(self) -> str:
        """The class name of the action."""
        return "Index" if isinstance(self.action, Index) else type(self.action).__name__


@dataclass(slots=True, eq=False)
class Task:
    """One record on one of its routes, with the writes that the route returned and their results.

    - `seen` is the record that the route is called with: the delivered one, or one with the current state.
    - `reread_version` is the version of a re-read: the write gets this or that of the record, whichever is higher.
      It is None if the version of the record decides.
    - `overtaken` is True if the item changed again after the write.
    - `newer_only` makes its writes `newer_only` (see Write), because other changes can have the same version.
    - `failed` is the last failure of this task alone in this delivery. `failing` has the writes that failed.
    - `made` has the writes of a document of several items that is made again after them. If they are the same
      again, they are its `writes`, and it is settled.
    - `named` has the ids of sub-documents that are deleted unless the item has them; None if not determined.
    - `reindexes` has the Reindex actions that the route returned; None if it has not been called.
    - `rejected` has the tasks of documents that it wanted to be made again and that are dead letters instead.
    - `group_size` is the number of tasks in its last failed call of `documents()`, or 0.
    """

    position: int
    record: Record
    bound: BoundRoute | None
    writes: Sequence[Write] = ()
    results: Sequence[Result] = ()
    reread_version: int | None = None
    overtaken: bool = False
    failed: Result | None = None
    failing: Sequence[Write] = ()
    group_size: int = 0
    newer_only: bool = False
    made: Sequence[Write] = ()
    named: Collection[str] | None = None
    reindexes: Sequence[Reindex] | None = None
    rejected: Sequence[Task] = ()
    seen: Record = field(init=False)

    def __post_init__(self) -> None:
        self.seen = self.record

    def reset(self) -> None:
        """Forget the writes and results, for another try."""
        if self.named is not None:  # what was written may have to be deleted
            self.named = {*self.named, *(write.id for write in self.writes)}
        self.writes, self.results, self.seen, self.newer_only = (), (), self.record, False
        self.made, self.reindexes, self.rejected = (), None, ()

    def reopen(self, version: int | None) -> None:
        """Reset the task for a re-read, and write the current state at this version."""
        self.reset()
        self.reread_version = version

    @property
    def route(self) -> str:
        """The name of the route, or "" if none matched."""
        return self.bound.name if self.bound else ""

    @property
    def result(self) -> Result:
        """The worst result."""
        return self.results[0] if len(self.results) == 1 else worst(self.results)
