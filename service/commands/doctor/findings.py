"""What the doctor finds, and how a check says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

ERROR: Final = "error"
"""Records would fail, stand still, or make an index wrong."""

WARNING: Final = "warning"
"""It works, and hurts later."""

NOTE: Final = "note"
"""Nothing that is known to be wrong: what could not be looked at, and why."""

T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with `subject` (such as "table images"), and what to do about it."""

    topic: str
    subject: str
    problem: str
    remedy: str
    severity: str = ERROR


class Trouble(Exception):
    """Raised where what is looked at cannot be looked at any further; the argument is the Finding."""

    def __init__(self, finding: Finding):
        super().__init__(finding.problem)
        self.finding = finding


def each(check: Callable[[T], Iterable[Finding]], subjects: Iterable[T]) -> Iterator[Finding]:
    """What a check finds in each of the subjects, whatever trouble it meets with one of them."""
    for subject in subjects:
        try:
            yield from check(subject)
        except Trouble as trouble:
            yield trouble.finding
