"""Select, count and purge dead letters. `redrive.py` delivers them again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ...errors import SettingsError, UnknownEvent
from ...model import Record, Undecodable
from ...settings import setting
from ...sinks.dead_letters import ReadableDeadLetterStore, StoredDeadLetter
from ...sources.envelopes import unwrap


@dataclass(frozen=True)
class Filter:
    """The options that select dead letters. Without any of them, all dead letters are selected."""

    letter: str = setting("", "only dead letters whose id starts with this text")
    route: str = setting("", "only dead letters of this route (module:Class)")
    reason: str = setting("", "only dead letters whose reason contains this text")
    since: str = setting("", "only dead letters stored at or after this time (ISO 8601)")
    until: str = setting("", "only dead letters stored before this time (ISO 8601)")

    def takes(self, dead_letter: StoredDeadLetter) -> bool:
        return (
            dead_letter.id.startswith(self.letter)
            and self.route in ("", dead_letter.route)
            and self.reason in dead_letter.reason
            and (not self.since or dead_letter.time >= self.since)
            and (not self.until or dead_letter.time < self.until)
        )


@dataclass(frozen=True)
class RedriveOptions:
    """The option to redrive the dead-letter queue of an SQS queue instead of the store."""

    queue: str = setting("", "redrive the dead-letter queue of this SQS queue instead of the stored dead letters")


def chosen(store: ReadableDeadLetterStore, which: Filter) -> Iterator[StoredDeadLetter]:
    """Return the selected dead letters."""
    return (dead_letter for dead_letter in store.read(which.letter) if which.takes(dead_letter))


@dataclass
class Survey:
    """The number of selected dead letters by route, and the times of the first and the last (ISO 8601)."""

    routes: Counter[str] = field(default_factory=Counter)
    first: str = ""
    last: str = ""

    @property
    def count(self) -> int:
        return self.routes.total()


def survey(store: ReadableDeadLetterStore, which: Filter) -> Survey:
    """Count the dead letters that `purge` would delete. Raises SettingsError if there is no filter."""
    check_filter(which)
    found = Survey()
    for dead_letter in chosen(store, which):
        found.routes[dead_letter.route] += 1
        found.first = min(found.first or dead_letter.time, dead_letter.time)
        found.last = max(found.last, dead_letter.time)
    return found


def purge(store: ReadableDeadLetterStore, which: Filter, last: str) -> int:
    """Delete the selected dead letters that are not newer than `last` (ISO 8601). Return their number.

    Dead letters stored after the operator saw the survey stay. Raises SettingsError if there is no filter.
    """
    check_filter(which)
    return sum(
        1
        for _ in map(
            store.remove, (dead_letter for dead_letter in chosen(store, which) if dead_letter.time <= last)
        )
    )


def check_filter(which: Filter) -> None:
    """Check that there is a filter. Raises SettingsError if not: all dead letters would be selected."""
    if which == Filter():
        raise SettingsError("purge needs a filter: --letter, --route, --reason, --since or --until")


def records_of(dead_letter: StoredDeadLetter) -> Iterable[Record]:
    """Yield the record of a dead letter, decoded again by the current code."""
    envelope = {
        "format": 1,
        "route": dead_letter.route,
        "source": dead_letter.source,
        "record": dead_letter.record,
    }
    try:
        yield from unwrap(envelope, dead_letter.identifier)
    except UnknownEvent as error:
        yield Undecodable(dead_letter.record, str(error), dead_letter.source, dead_letter.identifier)
