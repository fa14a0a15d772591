"""Hypothesis strategies: histories of a table, and deliveries of their records in many ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from convergence import START, Arrival, Backfill, Case, Change, Restart
from hypothesis import strategies as st

from service.pipeline.rereads import PROMPT

KEYS = ("a", "b")


@st.composite
def histories(
    draw: st.DrawFn,
    bad: bool = False,
    gaps: Sequence[int] = (0, 0, 1, 60, 900, 4000),
    most: int = 8,
    ranked: bool | None = None,
    back: int = 0,
    values: Sequence[int] = (),
) -> list[Change]:
    """Draw up to `most` changes. `gaps` are the possible seconds between two changes.

    Each change has one of `values`, if there are any; so it may leave the document of its item as it was.
    The clock of each record is behind by up to `back` seconds, by a different amount for each record.

    If `ranked` is True, all sequence numbers have the format of AWS; if False, none has. By default it is drawn.
    With `bad` items they always have that format: a re-read returns only the current state. If that is bad, it is
    undefined which older state the index keeps.
    """
    time, changes = START, []
    if ranked is None:
        ranked = bad or draw(st.booleans())
    for number in range(draw(st.integers(1, most))):
        time += draw(st.sampled_from(gaps))
        change = Change(
            number,
            time,
            draw(st.sampled_from(KEYS)),
            draw(st.booleans()),
            bad=bad and draw(st.booleans()),
            back=draw(st.integers(0, back)),
            value=draw(st.sampled_from(values)) if values else None,
        )
        changes.append(change)
    if ranked:
        return changes
    lows = draw(st.permutations(range(1, len(changes) + 1)))
    return [replace(change, low=low) for change, low in zip(changes, lows, strict=True)]


@st.composite
def backfills(draw: st.DrawFn, history: Sequence[Change]) -> list[Backfill]:
    """Draw at most one backfill, at any time. Its pages are loaded before the index forgets deletions."""
    if not draw(st.booleans()):
        return []
    read_at = draw(st.sampled_from(history)).time + draw(st.sampled_from([0.0, 30.0, 500.0]))
    return [Backfill(read_at + draw(st.sampled_from([0.0, 5.0, 1000.0])), read_at, draw(st.floats(-100, 100)))]


@st.composite
def redrives(draw: st.DrawFn, history: Sequence[Change]) -> list[Arrival]:
    """Draw redrives of dead letters, in any order, any number of times and at any age."""
    found = []
    for numbers in draw(st.lists(st.lists(st.integers(0, len(history) - 1), min_size=1, max_size=3), max_size=3)):
        since = max(history[number].time for number in numbers)
        found.append(
            Arrival(since + draw(st.sampled_from([0.0, 100.0, 5000.0, 10.0**6])), tuple(numbers), "redrive")
        )
    return found


@st.composite
def cases_of(draw: st.DrawFn, history: Sequence[Change], deliveries: Sequence[Arrival]) -> Case:
    """Draw a case of these deliveries, redrives and backfills."""
    steps = [*deliveries, *draw(redrives(history)), *draw(backfills(history))]
    return history, sorted(steps, key=lambda step: step.time)


@st.composite
def restarts(draw: st.DrawFn, history: Sequence[Change]) -> list[Restart]:
    """Draw restarts of the search server. At each, the records of all earlier changes are older than PROMPT."""
    times = [change.time + PROMPT + 2.0 + later for change in history for later in (0, 1000, 50_000)]
    quiet = [time for time in times if not any(time - PROMPT - 1 <= change.time <= time for change in history)]
    return [Restart(time) for time in draw(st.lists(st.sampled_from(quiet), max_size=2))]


@st.composite
def restarted_cases(draw: st.DrawFn, among: st.SearchStrategy[list[Change]]) -> Case:
    """Draw deliveries through a queue, with restarts of the search server."""
    history = draw(among)
    steps = [*draw(queue_deliveries(history)), *draw(restarts(history))]
    return history, sorted(steps, key=lambda step: step.time)


@st.composite
def queue_cases(draw: st.DrawFn, **options: Any) -> Case:
    """Draw a history and its deliveries through a queue, with redrives and backfills."""
    history = draw(histories(**options))
    return draw(cases_of(history, draw(queue_deliveries(history))))


@st.composite
def queue_deliveries(draw: st.DrawFn, history: Sequence[Change]) -> list[Arrival]:
    """Draw deliveries through a queue: in any order, any number of times, with any delay."""
    arrivals = []
    for change in history:
        for _ in range(draw(st.integers(1, 3))):
            late = draw(st.sampled_from([0, 1, 1500, 2000, 5000, 100_000]))
            arrivals.append((change.time + late + draw(st.floats(0, 1)), change.number))
    arrivals.sort()
    deliveries: list[Arrival] = []
    for now, number in arrivals:
        if deliveries and draw(st.booleans()):
            numbers = draw(st.permutations([*deliveries.pop().numbers, number]))
            deliveries.append(Arrival(now, tuple(numbers), "queue"))
        else:
            deliveries.append(Arrival(now, (number,), "queue"))
    return deliveries


@st.composite
def readings(draw: st.DrawFn, history: Sequence[Change]) -> list[Arrival]:
    """Draw the reads of a shard: in order, restarted from any earlier position, with any delay."""
    now, position = float(history[-1].time), 0
    deliveries: list[Arrival] = []
    while position < len(history):
        size = draw(st.integers(1, len(history)))
        numbers = tuple(range(position, min(position + size, len(history))))
        deliveries.append(Arrival(now, numbers, "shard"))
        position += size
        now += draw(st.sampled_from([0.0, 1.0, 5000.0]))
        if len(deliveries) < 8 and draw(st.booleans()):
            position = draw(st.integers(0, min(position, len(history))))
    return deliveries


@st.composite
def shard_cases(draw: st.DrawFn, **options: Any) -> Case:
    """Draw a history and the reads of its shard, with redrives and backfills."""
    history = draw(histories(**options))
    return draw(cases_of(history, draw(readings(history))))


def comes_back_at_once(history: Sequence[Change]) -> bool:
    """Return True if an item was removed and changed again within the same second.

    After its last removal, a re-read does not show which of its removals a record describes.
    """
    changes = [(change.key, change.time) for change in history]
    return any(change.removes and changes[n] in changes[n + 1 :] for n, change in enumerate(history))


@st.composite
def undisturbed_cases(draw: st.DrawFn) -> Case:
    """Draw a history and the reads of its shard, without redrives and backfills.

    Sequence numbers have the format of AWS, and no item is changed again in the second of its removal.
    """
    history = draw(histories(ranked=True).filter(lambda drawn: not comes_back_at_once(drawn)))
    return history, draw(readings(history))


@st.composite
def live_cases(draw: st.DrawFn, **options: Any) -> Case:
    """Draw a history that is read while it is written, one change at a time, with redrives and backfills."""
    history = draw(histories(**options))
    deliveries = [Arrival(float(change.time), (change.number,), "shard") for change in history]
    return draw(cases_of(history, deliveries))
