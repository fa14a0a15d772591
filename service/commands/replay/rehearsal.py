"""A replay that writes nothing: it shows the writes (`--dry-run`), or their effect on the index (`--diff`)."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from ...bootstrap.application import Outputs
from ...context import Context
from ...errors import Unreachable
from ...model import Undecodable
from ...model.outcomes import APPLIED, STALE
from ...model.serializer import typed
from ...pipeline import DeadLetter, Dispatched, Observer, Outcome, Result, Sinks, Task, Write
from ...pipeline.delivery import Fence, no_fence
from ...pipeline.error_outcomes import result_of
from ...pipeline.prefetch import Prefetch
from ...routing import BoundRoute, Delete, Index, InsertRows
from ...sinks.opensearch.alias_targets import Target
from ...sinks.opensearch.bulk_body import serialise
from ...sinks.sql.row_loading import problem_of
from ...sinks.sql.statement import translated
from ..comparison import Comparison, Difference, Match, Stored, document_of
from ..index_documents import stored

UNCHANGED: Final = "unchanged"
WORDS: Final = {
    Match.MISSING: "missing",
    Match.CHANGED: "changed",
    Match.EXTRA: "would be deleted",
    Match.SAME: UNCHANGED,
}
OLDER: Final = "older than what is there"
REJECTED: Final = "rejected"
NOT_COMPARED: Final = "not compared"
SUPERSEDED: Final = "superseded"


@dataclasses.dataclass(frozen=True)
class Finding:
    """The effect that a record would have through a route.

    `what` is the kind of the action, or how the index differs from it. `version` is the version of the write,
    `there` the stored version, `content` the document, item, key or statement of the write. `superseded` is True
    if the batch has a newer write of the same document.
    """

    what: str
    route: str
    target: str = ""
    id: str = ""
    version: int | None = None
    there: int | None = None
    content: Any = None
    fields: Sequence[Difference] = ()
    reason: str = ""
    superseded: bool = False


class Preview(Protocol):
    """A sink that writes nothing and reports what it would write."""

    def write(
        self, writes: Sequence[Write], fence: Fence = no_fence, prefetch: Prefetch | None = None
    ) -> list[Result]: ...

    def findings(self, write: Write, result: Result, bound: BoundRoute) -> Iterator[Finding]:
        """Yield the findings of a route's write that was passed to `write` before."""
        ...


class Rehearsal(Observer):
    """The replacement of everything a replay writes to: the sinks, the dead-letter store and the observer.

    `show` is called with each finding that is not UNCHANGED. `counts` has the number of findings of each kind.
    """

    def __init__(self, search: Preview, show: Callable[[Finding], None]):
        self.search = search
        self.table = Items()
        self.rows = Rows()
        self.counts: Counter[str] = Counter()
        self._show = show

    @property
    def outputs(self) -> Outputs:
        """The outputs of a dispatcher that writes nothing."""
        return Outputs(Sinks(documents=self.search, items=self.table, rows=self.rows), self, self)

    @property
    def differs(self) -> bool:
        """True if a compared document would change."""
        return any(self.counts[what] for what in WORDS.values() if what != UNCHANGED)

    def store(self, letters: Sequence[DeadLetter]) -> None:
        """Store nothing: rejected records are shown as findings."""

    def dispatched(self, done: Dispatched) -> None:
        self._report(done.tasks)

    def made_again(self, tasks: Sequence[Task]) -> None:
        self._report(tasks)

    def _report(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            for finding in self._findings(task):
                self.counts[SUPERSEDED if finding.superseded else finding.what] += 1
                if finding.what != UNCHANGED:
                    self._show(finding)

    def _findings(self, task: Task) -> Iterator[Finding]:
        if not task.writes and task.result.outcome is Outcome.REJECTED:
            place = "" if isinstance(task.record, Undecodable) else task.record.subject[0]
            yield Finding(REJECTED, task.route, place, reason=task.result.reason)
        if task.bound is None:
            return
        for write, result in zip(task.writes, task.results if task.writes else (), strict=True):
            if result.outcome is Outcome.REJECTED:
                yield Finding(REJECTED, task.route, write.target, write.id, write.version, reason=result.reason)
            elif result.outcome.done:
                yield from self.search.findings(write, result, task.bound)


class Items:
    """A table sink that writes nothing. It rejects items that DynamoDB cannot store."""

    def write(self, writes: Sequence[Write], fence: Fence = no_fence) -> list[Result]:
        return [self._write(write) for write in writes]

    def _write(self, write: Write) -> Result:
        content = content_of(write)
        try:
            typed(content if isinstance(content, Mapping) else {})
        except TypeError as error:
            return Result(Outcome.REJECTED, f"the item cannot be stored: {error}")
        return APPLIED


class Rows:
    """A SQL sink that writes nothing. It reads the rows and rejects those that the real sink would not send."""

    def write(self, writes: Sequence[Write], fence: Fence = no_fence) -> list[Result]:
        return [self._write(write.action) for write in writes if isinstance(write.action, InsertRows)]

    def _write(self, action: InsertRows) -> Result:
        try:
            statement = translated(action.statement, "postgresql", "format")
            numbered = enumerate((problem_of(row, statement) for row in action.rows), start=1)
            bad = next((f"row {number}: {problem}" for number, problem in numbered if problem), "")
        except Exception as error:
            return result_of(error, "rows for the database")
        return Result(Outcome.REJECTED, bad) if bad else APPLIED


class Actions:
    """A search sink that writes nothing and reports the actions that would be sent."""

    def __init__(self, context: Context):
        self._most_bytes = context.settings.document_bytes

    def write(
        self, writes: Sequence[Write], fence: Fence = no_fence, prefetch: Prefetch | None = None
    ) -> list[Result]:
        """Reject the writes that the real sink would not send. All others count as written."""
        results: dict[int, Result] = {}
        results |= dict.fromkeys(sendable(writes, results, self._most_bytes), APPLIED)
        return [results[position] for position in range(len(writes))]

    def findings(self, write: Write, result: Result, bound: BoundRoute) -> Iterator[Finding]:
        yield Finding(
            write.kind,
            bound.name,
            write.target,
            write.id,
            write.version if write.id else None,
            content=content_of(write),
            superseded=result.outcome is Outcome.STALE,
        )


class Differences:
    """A search sink that only reads: it compares each write with the stored document."""

    def __init__(self, context: Context):
        self._context = context
        self._most_bytes = context.settings.document_bytes
        self._found: dict[Write, Stored] = {}

    def write(
        self, writes: Sequence[Write], fence: Fence = no_fence, prefetch: Prefetch | None = None
    ) -> list[Result]:
        results: dict[int, Result] = {}
        meant = sendable(writes, results, self._most_bytes)
        places = [writes[position].location for position in meant]
        try:
            held = stored(self._context, places, missing={place.index for place in places})
        except Unreachable as error:
            # No status: a record must not become a dead letter because the comparison could not read.
            return [results.get(position, Result(Outcome.RETRY, str(error))) for position in range(len(writes))]
        for position, there in zip(meant, held, strict=True):
            self._found[writes[position]] = there
            older = Comparison(None, there, writes[position].version).is_older
            results[position] = STALE if older else APPLIED
        return [results[position] for position in range(len(writes))]

    def findings(self, write: Write, result: Result, bound: BoundRoute) -> Iterator[Finding]:
        there = self._found.pop(write, None)
        if there is not None:
            yield difference(write, there, bound)
        elif not isinstance(write.action, Index | Delete):
            yield Finding(NOT_COMPARED, bound.name, write.target)


def sendable(writes: Sequence[Write], results: dict[int, Result], most_bytes: int) -> list[int]:
    """Return the positions of the writes that would be sent. `results` gets the results of all others."""
    metas = {write.target: Target(write.target, write.target).meta for write in writes}
    return [position for position, _ in serialise(writes, metas, results, most_bytes)]


def difference(write: Write, there: Stored, bound: BoundRoute) -> Finding:
    """Compare a route's write with the stored document, except for the computed fields."""
    found = Comparison(document_of(write), there, write.version, bound.computed)
    what, fields = (OLDER, ()) if found.is_older else (WORDS[found.match], found.fields)
    return Finding(what, bound.name, write.target, write.id, write.version, there.version, fields=fields)


def content_of(write: Write) -> Any:
    """Return what an action writes: its document, item, key or statement; None if nothing."""
    fields = dataclasses.fields(write.action)
    return getattr(write.action, fields[0].name) if fields else None
