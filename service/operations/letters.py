"""Dead letters: looking through them, delivering them again, and throwing them away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ..dispatch import Batch, Dispatcher, Outcome, Report, Result
from ..errors import SettingsError, UnknownEvent
from ..records import Record, Undecodable
from ..settings import setting
from ..sinks.letters import Kept, LetterBox
from ..sources.envelopes import unwrap

REDRIVEN: Final = "dead letters"
"""The source of what is delivered again: one name, for it becomes the label of metrics."""


@dataclass(frozen=True)
class Filter:
    """Which letters are meant; all of them without any of these."""

    letter: str = setting("", "the letter whose id begins so", env="STREAMDEX_LETTER")
    route: str = setting("", "the letters of this route (module:Class)", env="STREAMDEX_LETTER_ROUTE")
    reason: str = setting("", "the letters whose reason holds this text", env="STREAMDEX_LETTER_REASON")
    since: str = setting("", "the letters from this time on (ISO 8601)", env="STREAMDEX_LETTER_SINCE")
    until: str = setting("", "the letters before this time (ISO 8601)", env="STREAMDEX_LETTER_UNTIL")

    def takes(self, kept: Kept) -> bool:
        return (
            kept.id.startswith(self.letter)
            and self.route in ("", kept.route)
            and self.reason in kept.reason
            and (not self.since or kept.time >= self.since)
            and (not self.until or kept.time < self.until)
        )


@dataclass(frozen=True)
class Elsewhere:
    """Letters that are not in the store."""

    queue: str = setting(
        "", "redrive the messages in the dead-letter queue of this SQS queue instead", env="STREAMDEX_LETTER_QUEUE"
    )


def chosen(box: LetterBox, which: Filter) -> Iterator[Kept]:
    """The letters that are meant."""
    return (kept for kept in box.letters(which.letter) if which.takes(kept))


def redrive(box: LetterBox, which: Filter, dispatcher_of: Callable[[str], Dispatcher | None]) -> Counter[str]:
    """Delivers letters to the route that failed, as it is today, and removes those that are done.

    Each is only a hint: what is there now is read, so that no letter, however old and however often, makes an
    index older. Returns how many ended how; what is rejected again, or may succeed later, stays. Raises Halt.
    """
    ends: Counter[str] = Counter()
    dispatchers: dict[str, Dispatcher | None] = {}
    for kept in chosen(box, which):
        if kept.route not in dispatchers:
            dispatchers[kept.route] = dispatcher_of(kept.route)
        dispatcher = dispatchers[kept.route]
        if dispatcher is None:
            ends[f"kept: no route {kept.route} is registered"] += 1
            continue
        report = dispatcher.dispatch(list(records_of(kept)), REDRIVEN)
        lost = next((result.reason for result in report.results if result.unrouted), "")
        if lost:  # names or patterns are not what they were: the letter is all that there is of the record
            ends[f"kept: {lost}"] += 1
            continue
        worst = min((result.outcome for result in report.results), default=Outcome.SKIPPED)
        ends[worst.name.lower()] += 1
        if worst.done and worst is not Outcome.REJECTED:
            box.remove(kept)
    return ends


def redrive_queue(messages: Iterable[Batch], dispatcher: Dispatcher) -> Counter[str]:
    """Delivers the messages of a dead-letter queue to their routes, as hints, and deletes those that are done.

    Returns how many records ended how. What is rejected is kept as a dead letter, and its message is deleted. What
    may succeed later stays; it is not looked at again. Raises Halt.
    """
    ends: Counter[str] = Counter()
    seen: set[str] = set()
    for batch in messages:
        names = {record.identifier for record in batch.records}
        if names and names <= seen:
            break
        seen |= names
        report = dispatcher.dispatch(batch.records, batch.source, within=batch.time_left())
        results = [_kept(result) if result.unrouted else result for result in report.results]
        batch.settle(Report(results))
        ends.update(
            result.reason if result.outcome is Outcome.RETRY else result.outcome.name.lower() for result in results
        )
    return ends


def _kept(result: Result) -> Result:
    """What no route takes stays where it is: there is nothing else of it."""
    return Result(Outcome.RETRY, f"kept: {result.reason}")


@dataclass
class Survey:
    """The number of selected letters, by route, and the times of the first and the last of them (ISO 8601)."""

    routes: Counter[str] = field(default_factory=Counter)
    first: str = ""
    last: str = ""

    @property
    def count(self) -> int:
        return self.routes.total()


def survey(box: LetterBox, which: Filter) -> Survey:
    """Count the letters that `purge` would delete. Raises SettingsError without any filter."""
    check_filter(which)
    found = Survey()
    for kept in chosen(box, which):
        found.routes[kept.route] += 1
        found.first = min(found.first or kept.time, kept.time)
        found.last = max(found.last, kept.time)
    return found


def purge(box: LetterBox, which: Filter, last: str) -> int:
    """Delete the selected letters that are no newer than `last` (ISO 8601), and return their number.

    Letters that were stored after the operator was shown a survey stay. Raises SettingsError without any filter.
    """
    check_filter(which)
    return sum(1 for _ in map(box.remove, (kept for kept in chosen(box, which) if kept.time <= last)))


def check_filter(which: Filter) -> None:
    """Raises SettingsError without any filter: that would select all letters."""
    if which == Filter():
        raise SettingsError("purge needs a filter: --letter, --route, --reason, --since or --until")


def records_of(kept: Kept) -> Iterable[Record]:
    """The record of a letter, read as it would be today."""
    letter = {"format": 1, "route": kept.route, "source": kept.source, "record": kept.record}
    try:
        yield from unwrap(letter, kept.identifier)
    except UnknownEvent as error:
        yield Undecodable(kept.record, str(error), kept.source, kept.identifier)
