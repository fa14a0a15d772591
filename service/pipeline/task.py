"""A task: one record on one of its routes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..model import Record
from ..model.outcomes import Result, worst
from ..routing import BoundRoute
from .protocols import Write


@dataclass(slots=True, eq=False)
class Task:
    """One record on one of its routes, with the writes that the route returned and their results.

    - `seen` is the record that the route is called with: the delivered one, or one with the current state.
    - `reread_version` is the version of a re-read: the write gets this or that of the record, whichever is higher.
      It is None if the version of the record decides.
    - `overtaken` is True if the item changed again after the write.
    - `newer_only` makes its writes `newer_only` (see Write), because other changes can have the same version.
    - `failed` is the last failure of this task alone in this delivery. `failing` has the writes that failed.
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
    seen: Record = field(init=False)

    def __post_init__(self) -> None:
        self.seen = self.record

    def reset(self) -> None:
        """Forget the writes and results, for another try."""
        self.writes, self.results, self.seen, self.newer_only = (), (), self.record, False

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
