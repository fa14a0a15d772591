"""How a record ends. Each record of a batch ends as exactly one of these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from typing import Final


class Outcome(IntEnum):
    """Of several routes or actions of one record, the first of these that any of them has."""

    RETRY = 1
    """May succeed later: it is delivered again."""
    BLOCKED = 2
    """Behind a RETRY of the same item or object on the same route: it is delivered again."""
    REJECTED = 3
    """Can never succeed: done, once its dead letter is stored."""
    APPLIED = 4
    """Written, or already as it should be: done."""
    STALE = 5
    """Something newer is there: done."""
    SKIPPED = 6
    """No route, ignored, or nothing to write: done, and counted."""

    @property
    def done(self) -> bool:
        """Whether the source may forget the record."""
        return self > Outcome.BLOCKED


SUCCEEDED: Final = (Outcome.APPLIED, Outcome.STALE)
"""The outcomes of a write that its target took."""


class Lasting(Enum):
    """The consequence of a RETRY in every try of a delivery."""

    REJECT = "a dead letter"
    HALT = "a halt, unless other writes succeed"


@dataclass(frozen=True, slots=True)
class Result:
    """An outcome with its reason in words and, where a server gave one, its HTTP status.

    The reason may quote an item: it is for the dead letter. `told` is what logs say in its place, None where it
    quotes nothing. `conflict` is the version that a document was found to have instead of an older one. `lasting`
    says what becomes of a RETRY that lasts; without it the source delivers the record again. A failure is `shared`
    if it is that of a request for several records, or of what all of them need: it blames none of them.
    `created` is True if a record that came unordered made a document that the index did not have.
    """

    outcome: Outcome
    reason: str = ""
    status: int | None = None
    conflict: int | None = None
    told: str | None = None
    lasting: Lasting | None = None
    shared: bool = False
    created: bool = False

    @property
    def summary(self) -> str:
        """The reason as logs have it: without the values of an item, its key among them."""
        return self.reason if self.told is None else self.told

    def given_up(self, why: str) -> Result:
        """What becomes of it once it is no longer tried; `why` stands before its reason."""
        reason, told = f"{why}: {self.reason}", f"{why}: {self.summary}"
        return replace(self, outcome=Outcome.REJECTED, reason=reason, told=told, conflict=None, lasting=None)

    @property
    def unrouted(self) -> bool:
        """Whether there was no route for the record."""
        return self.outcome is Outcome.SKIPPED and self.reason.startswith(_NO_ROUTE)


_NO_ROUTE: Final = "no route for "

APPLIED: Final = Result(Outcome.APPLIED)
DOCUMENT_CREATED: Final = Result(Outcome.APPLIED, created=True)
STALE: Final = Result(Outcome.STALE, "something newer is there")
SUPERSEDED: Final = Result(Outcome.STALE, "superseded in its batch")
NOTHING_TO_WRITE: Final = Result(Outcome.SKIPPED, "nothing to write")
UNSETTLED: Final = Result(Outcome.RETRY, "it changes faster than it can be read")
PATIENCE: Final = 3
"""Requests in a row that bring nothing, after which the rest of a batch waits for the next try."""

NOT_SENT: Final = Result(Outcome.RETRY, "not sent: the search server does not cope", shared=True)
OUT_OF_TIME: Final = Result(Outcome.RETRY, "no time was left for it", shared=True)
BLOCKED: Final = Result(Outcome.BLOCKED, "behind a record of the same item that is tried again")


def no_route(source: str) -> Result:
    """The result of a record that no route matches; `source` names its table or bucket."""
    return Result(Outcome.SKIPPED, _NO_ROUTE + source)


def worst(results: Sequence[Result]) -> Result:
    """The result that stands for several; NOTHING_TO_WRITE for none."""
    if len(results) == 1:
        return results[0]
    return min(results, key=lambda result: result.outcome, default=NOTHING_TO_WRITE)


class Report:
    """The results of a batch, in the order of its records."""

    def __init__(self, results: Sequence[Result]):
        self.results = results

    @property
    def undone(self) -> list[int]:
        """The positions of the records that the source must deliver again."""
        return [position for position, result in enumerate(self.results) if not result.outcome.done]

    def counts(self) -> dict[str, int]:
        """How many records had each outcome, by its name in lower case."""
        tally = Counter(result.outcome for result in self.results)
        return {outcome.name.lower(): tally[outcome] for outcome in Outcome if tally[outcome]}
