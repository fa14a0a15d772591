"""Histories of a table, ways to deliver their records, and the expected final state of the index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import pytest
from builders import sqs_message, stream_arn, stream_record
from fakes import Bench, IndexModel, Items, Truth
from hypothesis import strategies as st

from service.model.outcomes import Outcome
from service.model.serializer import typed
from service.model.table_record import scanned
from service.pipeline import Delivery, Result, Write, rereads
from service.pipeline.delivery import Fence, no_fence
from service.pipeline.prefetch import Prefetch
from service.pipeline.reread_rules import Decision, Facts, Moment, decide
from service.pipeline.rereads import PROMPT
from service.routing import Delete, Index

START = 1_700_000_000
GC_DELETES = 3600.0
KEYS = ("a", "b")
BAD = Result(Outcome.REJECTED, "the mapping has another type", 400)


@dataclass(frozen=True)
class Change:
    """A write to the table. `number` is its position in the history, `time` is in whole seconds.

    `low` has the low digits of the sequence number. Without it, the number has the format of AWS. With it, the
    digits do not determine the order within a second. The index refuses a `bad` item. `back` is the number of
    seconds by which the clock of the record is behind the clock of the table.
    """

    number: int
    time: int
    key: str
    removes: bool
    low: int | None = None
    bad: bool = False
    back: int = 0

    @property
    def item(self) -> dict[str, Any]:
        return {"id": self.key, "n": f"no number {self.number}" if self.bad else self.number}

    def record(self, existed: bool) -> dict[str, Any]:
        event = "REMOVE" if self.removes else "MODIFY" if existed else "INSERT"
        sequence = f"{self.number + 1}{0:020d}" if self.low is None else f"{10**12 + self.number}{self.low:020d}"
        image = {"old" if self.removes else "new": self.item}
        created = self.time - self.back
        return stream_record(event, sequence=sequence, created=created, keys={"id": self.key}, **image)


@dataclass(frozen=True)
class Arrival:
    """A batch of records, by their numbers, that is delivered at `time`."""

    time: float
    numbers: tuple[int, ...]
    way: Literal["shard", "queue", "redrive"]


@dataclass(frozen=True)
class Backfill:
    """A scan of the table at `read_at`, loaded at `time`. The clock of its server is off by `skew` seconds."""

    time: float
    read_at: float
    skew: float


@dataclass(frozen=True)
class Restart:
    """A restart of the search server, which forgets the versions of deleted documents."""

    time: float


Step: TypeAlias = Arrival | Backfill | Restart
Case: TypeAlias = tuple[Sequence[Change], Sequence[Step]]


class ForgetfulIndex(IndexModel):
    """An index that forgets the version of a deleted document after `gc_deletes`, and refuses bad items."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.deleted: dict[tuple[str, str], float] = {}

    def write(
        self, writes: Sequence[Write], fence: Fence = no_fence, prefetch: Prefetch | None = None
    ) -> list[Result]:
        for place, when in list(self.deleted.items()):
            if self.now > when + GC_DELETES:
                del self.deleted[place]
                self.versions.pop(place, None)
        results = super().write(writes, fence, prefetch)
        for write, result in zip(writes, results, strict=True):
            if result.outcome is Outcome.APPLIED:
                self.deleted.pop((write.target, write.id), None)
                if isinstance(write.action, Delete):
                    self.deleted[write.target, write.id] = self.now
        return results

    def forget(self) -> None:
        for place in self.deleted:
            self.versions.pop(place, None)
        self.deleted.clear()

    def _write(self, write: Write) -> Result:
        if isinstance(write.action, Index) and isinstance(write.action.document["n"], str):
            return BAD
        return super()._write(write)


class WatchedIndex(IndexModel):
    """An index that keeps the versions of deleted documents, and collects every state of each document."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, list[Any]] = {}

    def _write(self, write: Write) -> Result:
        result = super()._write(write)
        document = self.documents.get((write.target, write.id))
        self.seen.setdefault(write.id, []).append(document and document["n"])
        return result

    def assert_in_order(self, history: Sequence[Change]) -> None:
        """Assert that no document returned to an earlier state."""
        for key, seen in self.seen.items():
            states = [None, *[None if c.removes else c.number for c in history if c.key == key]]
            assert follows(seen, states), f"{key} went back: {seen} of {states}"


def follows(seen: Iterable[Any], states: Iterable[Any]) -> bool:
    """Return True if `seen` has some of `states` in the same order. A state may be seen repeatedly."""
    coming = iter(states)
    now = next(coming)
    for one in seen:
        while now != one:
            try:
                now = next(coming)
            except StopIteration:
                return False
    return True


class World:
    """A table with its history, an index, and the dispatcher between them."""

    def __init__(self, history: Sequence[Change], **options: Any):
        self.history = history
        self.truth = Truth()
        self.now = 0.0
        options.setdefault("index", ForgetfulIndex())
        options |= {"truth": self.truth, "clock": lambda: self.now}
        self.bench = Bench(Items(), **options)
        self.redriving = Bench(Items(), always=True, **options)
        seen: dict[str, bool] = {}
        self.records = []
        for change in history:
            self.records.append(change.record(seen.get(change.key, False)))
            seen[change.key] = not change.removes

    def items(self, now: float, good: bool = False) -> dict[str, Any]:
        """Return the `n` of each item in the table at `now`. With `good`, skip changes that the index refuses."""
        found: dict[str, Any] = {}
        for change in self.history:
            if change.time <= now and not (good and change.bad and not change.removes):
                found.pop(change.key, None)
                if not change.removes:
                    found[change.key] = change.item["n"]
        return found

    def deliver(self, step: Step) -> None:
        self.now = step.time
        if isinstance(self.bench.index, ForgetfulIndex):
            self.bench.index.now = step.time
        if isinstance(step, Restart):
            self.bench.index.forget()
            return
        self.truth.table = self._typed(step.time)
        if isinstance(step, Backfill):
            items = self._typed(step.read_at).values()
            batch = [scanned(item, ["id"], stream_arn(), step.read_at + step.skew) for item in items]
            report = self.bench.dispatcher.run(Delivery(batch))
        else:
            raws = [self.records[number] for number in step.numbers]
            messages = raws if step.way == "shard" else [sqs_message(r, f"m{i}") for i, r in enumerate(raws)]
            bench = self.redriving if step.way == "redrive" else self.bench
            report = bench.dispatch(*messages)
        assert not report.undone

    def _typed(self, now: float) -> dict[str, Any]:
        return {key: typed({"id": key, "n": n}) for key, n in self.items(now).items()}


def run(case: Case, **options: Any) -> World:
    history, steps = case
    world = World(history, **options)
    for step in steps:
        world.deliver(step)
    return world


def decide_otherwise(
    monkeypatch: pytest.MonkeyPatch, moment: Moment, decision: Callable[[Facts], Decision]
) -> None:
    """Replace the rules for re-reads at one moment."""
    monkeypatch.setattr(
        rereads, "decide", lambda facts: decision(facts) if facts.moment is moment else decide(facts)
    )


def check(case: Case, documents: Callable[[], Mapping[str, Any]] | None = None, **options: Any) -> None:
    """Assert that the index finally equals the table without the changes that the index refuses.

    `documents` returns the documents if `index` is not a model.
    """
    world = run(case, **options)
    found = documents() if documents else world.bench.documents
    assert {name: document["n"] for name, document in found.items()} == world.items(float("inf"), good=True)


@st.composite
def histories(
    draw: st.DrawFn,
    bad: bool = False,
    gaps: Sequence[int] = (0, 0, 1, 60, 900, 4000),
    most: int = 8,
    ranked: bool | None = None,
    back: int = 0,
) -> list[Change]:
    """Draw up to `most` changes. `gaps` are the possible seconds between two changes.

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
