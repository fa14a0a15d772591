"""Outcomes, results and reports. Each record of a batch has exactly one outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from functools import cached_property
from typing import Final


class Outcome(IntEnum):
    """The outcome of a record. With several routes or actions, the lowest of their outcomes counts."""

    RETRY = 1
    """May succeed later. The source redelivers the record."""
    BLOCKED = 2
    """Waits for a RETRY of the same item or object on the same route. The source redelivers the record."""
    REJECTED = 3
    """Can never succeed. Acknowledged once its dead letter is stored."""
    APPLIED = 4
    """Written, or already up to date. Acknowledged."""
    STALE = 5
    """The target has a newer version. Acknowledged."""
    SKIPPED = 6
    """No route, ignored, or nothing to write. Acknowledged and counted."""

    done: bool
    """True if the record can be acknowledged."""

    def __init__(self, number: int):
        self.done = number > 2  # after RETRY and BLOCKED


SUCCEEDED: Final = (Outcome.APPLIED, Outcome.STALE)
"""The outcomes of a write that its target accepted, or refused because it has something newer."""


class Lasting(Enum):
    """The consequence of a RETRY that remains after every try of a delivery."""

    REJECT = "a dead letter"
    HALT = "a halt, unless other writes succeed"


@dataclass(frozen=True, slots=True)
class Result:
    """An outcome with its reason and, if a server returned one, its HTTP status.

    - `reason` is for the dead letter. It may quote an item.
    - `log_text` replaces the reason in logs. It is None if the reason quotes no item.
    - `conflict` is the stored version of the document that was in conflict with the write.
    - `lasting` is the consequence of a RETRY in every try. If it is None, the source redelivers the record.
    - `shared` is True if a request or a resource for several records failed, so that no record is to blame.
    - `created` is True if an unordered record created a document that the index did not have.
    """

    outcome: Outcome
    reason: str = ""
    status: int | None = None
    conflict: int | None = None
    log_text: str | None = None
    lasting: Lasting | None = None
    shared: bool = False
    created: bool = False

    @property
    def summary(self) -> str:
        """The reason for logs, without values of the item (its key included)."""
        return self.reason if self.log_text is None else self.log_text

    def given_up(self, why: str) -> Result:
        """Return this result as REJECTED, with `why` in front of the reason."""
        reason, log_text = f"{why}: {self.reason}", f"{why}: {self.summary}"
        return replace(
            self, outcome=Outcome.REJECTED, reason=reason, log_text=log_text, conflict=None, lasting=None
        )

    @property
    def unrouted(self) -> bool:
        """True if no route matched the record."""
        return self.outcome is Outcome.SKIPPED and self.reason.startswith(_NO_ROUTE)


_NO_ROUTE: Final = "no route for "

APPLIED: Final = Result(Outcome.APPLIED)
DOCUMENT_CREATED: Final = Result(Outcome.APPLIED, created=True)
STALE: Final = Result(Outcome.STALE, "the target has a newer version")
SUPERSEDED: Final = Result(Outcome.STALE, "superseded by a newer write of the batch")
NOTHING_TO_WRITE: Final = Result(Outcome.SKIPPED, "nothing to write")
UNCHANGED: Final = Result(Outcome.SKIPPED, "unchanged: the old and the new image have the same document")
UNSETTLED: Final = Result(Outcome.RETRY, "the item or object changes faster than it can be re-read")
PATIENCE: Final = 3
"""Consecutive requests without a success after which the rest of a batch waits for the next try."""

NOT_SENT: Final = Result(
    Outcome.RETRY, f"not sent: {PATIENCE} consecutive requests to the search server failed", shared=True
)
OUT_OF_TIME: Final = Result(Outcome.RETRY, "not processed before the deadline", shared=True)
BLOCKED: Final = Result(
    Outcome.BLOCKED, "waits for an earlier record of the same item or object, which is retried"
)


def no_route(source: str) -> Result:
    """Return the result of a record that no route matches. `source` names its table or bucket."""
    return Result(Outcome.SKIPPED, _NO_ROUTE + source)


def worst(results: Sequence[Result]) -> Result:
    """Return the result with the lowest outcome, or NOTHING_TO_WRITE if there are no results."""
    if len(results) == 1:
        return results[0]
    return min(results, key=lambda result: result.outcome, default=NOTHING_TO_WRITE)


@dataclass(frozen=True)
class Report:
    """The results of a batch, in the order of its records."""

    results: Sequence[Result]

    @cached_property
    def undone(self) -> list[int]:
        """The positions of the records that the source must redeliver."""
        return [position for position, result in enumerate(self.results) if result.outcome <= Outcome.BLOCKED]

    def counts(self) -> dict[str, int]:
        """Return the number of records by outcome name in lower case."""
        tally = Counter([result.outcome for result in self.results])
        return {outcome.name.lower(): tally[outcome] for outcome in sorted(tally)}
