"""Select, count and purge dead letters. `redrive.py` delivers them again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ...errors import SettingsError, UnknownEvent
from ...model import Record, Undecodable
from ...settings import setting
from ...sinks.dead_letters import LetterBox, StoredDeadLetter
from ...sources.envelopes import unwrap


@dataclass(frozen=True)
class Filter:
    """The options that select dead letters. Without any of them, all dead letters are selected."""

    letter: str = setting("", "the letter whose id begins so", env="STREAMDEX_LETTER")
    route: str = setting("", "the letters of this route (module:Class)", env="STREAMDEX_LETTER_ROUTE")
    reason: str = setting("", "the letters whose reason holds this text", env="STREAMDEX_LETTER_REASON")
    since: str = setting("", "the letters from this time on (ISO 8601)", env="STREAMDEX_LETTER_SINCE")
    until: str = setting("", "the letters before this time (ISO 8601)", env="STREAMDEX_LETTER_UNTIL")

    def takes(self, kept: StoredDeadLetter) -> bool:
        return (
            kept.id.startswith(self.letter)
            and self.route in ("", kept.route)
            and self.reason in kept.reason
            and (not self.since or kept.time >= self.since)
            and (not self.until or kept.time < self.until)
        )


@dataclass(frozen=True)
class Elsewhere:
    """The option to redrive the dead-letter queue of an SQS queue instead of the store."""

    queue: str = setting(
        "", "redrive the messages in the dead-letter queue of this SQS queue instead", env="STREAMDEX_LETTER_QUEUE"
    )


def chosen(box: LetterBox, which: Filter) -> Iterator[StoredDeadLetter]:
    """Return the selected dead letters."""
    return (kept for kept in box.letters(which.letter) if which.takes(kept))


@dataclass
class Survey:
    """The number of selected dead letters by route, and the times of the first and the last (ISO 8601)."""

    routes: Counter[str] = field(default_factory=Counter)
    first: str = ""
    last: str = ""

    @property
    def count(self) -> int:
        return self.routes.total()


def survey(box: LetterBox, which: Filter) -> Survey:
    """Count the dead letters that `purge` would delete. Raises SettingsError if there is no filter."""
    check_filter(which)
    found = Survey()
    for kept in chosen(box, which):
        found.routes[kept.route] += 1
        found.first = min(found.first or kept.time, kept.time)
        found.last = max(found.last, kept.time)
    return found


def purge(box: LetterBox, which: Filter, last: str) -> int:
    """Delete the selected dead letters that are not newer than `last` (ISO 8601). Return their number.

    Dead letters stored after the operator saw the survey stay. Raises SettingsError if there is no filter.
    """
    check_filter(which)
    return sum(1 for _ in map(box.remove, (kept for kept in chosen(box, which) if kept.time <= last)))


def check_filter(which: Filter) -> None:
    """Check that there is a filter. Raises SettingsError if not: all dead letters would be selected."""
    if which == Filter():
        raise SettingsError("purge needs a filter: --letter, --route, --reason, --since or --until")


def records_of(kept: StoredDeadLetter) -> Iterable[Record]:
    """Yield the record of a dead letter, decoded again by the current code."""
    letter = {"format": 1, "route": kept.route, "source": kept.source, "record": kept.record}
    try:
        yield from unwrap(letter, kept.identifier)
    except UnknownEvent as error:
        yield Undecodable(kept.record, str(error), kept.source, kept.identifier)
