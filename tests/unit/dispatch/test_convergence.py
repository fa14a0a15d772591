"""Whatever a stream, a queue or a retry makes of the records of a table, the index ends equal to the table.

The real dispatcher writes to a model of an index (OpenSearch's version rules, tombstones that are forgotten) and
reads from a model of the table, under a virtual clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from builders import sqs_message, stream_record
from fakes import Bench, IndexModel, Items, Truth
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from service.dispatch import Result, Write, collapse
from service.dispatch.outcomes import APPLIED
from service.records.serializer import typed
from service.routing import Delete

START = 1_700_000_000
GC_DELETES = 3600.0
KEYS = ("a", "b")


@dataclass(frozen=True)
class Change:
    """A write to the table: its number is its place in the history, its time in whole seconds."""

    number: int
    time: int
    key: str
    removes: bool

    def record(self, existed: bool) -> dict[str, Any]:
        event = "REMOVE" if self.removes else "MODIFY" if existed else "INSERT"
        image = {"old" if self.removes else "new": {"id": self.key, "n": self.number}}
        sequence = f"{self.number + 1}00000000000000000000"  # AWS: the digits above the low twenty grow
        return stream_record(event, sequence=sequence, created=self.time, keys={"id": self.key}, **image)


class ForgetfulIndex(IndexModel):
    """Forgets what it knows of a deleted document once `gc_deletes` has gone by."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.deleted: dict[tuple[str, str], float] = {}

    def write(self, writes):
        for place, when in list(self.deleted.items()):
            if self.now > when + GC_DELETES:
                del self.deleted[place], self.versions[place]
        results = super().write(writes)
        for write, result in zip(writes, results, strict=True):
            if result is APPLIED:
                self.deleted.pop((write.target, write.id), None)
                if isinstance(write.action, Delete):
                    self.deleted[write.target, write.id] = self.now
        return results


class World:
    """A table with its history, an index, and the dispatcher between them."""

    def __init__(self, history: list[Change], **options: Any):
        self.history = history
        self.truth = Truth()
        self.index = ForgetfulIndex()
        self.bench = Bench(Items(), truth=self.truth, index=self.index, clock=lambda: self.index.now, **options)
        seen: dict[str, bool] = {}
        self.records = []
        for change in history:
            self.records.append(change.record(seen.get(change.key, False)))
            seen[change.key] = not change.removes

    def items(self, now: float) -> dict[str, int]:
        """The table at a moment: the number of the last write to each key."""
        found: dict[str, int] = {}
        for change in self.history:
            if change.time <= now:
                found.pop(change.key, None)
                if not change.removes:
                    found[change.key] = change.number
        return found

    def deliver(self, now: float, batch: list[int], ordered: bool) -> None:
        self.index.now = now
        self.truth.table = {key: typed({"id": key, "n": number}) for key, number in self.items(now).items()}
        raws = [self.records[number] for number in batch]
        report = self.bench.dispatch(*(raws if ordered else [sqs_message(r, f"m{i}") for i, r in enumerate(raws)]))
        assert not report.undone

    def assert_equal(self) -> None:
        found = {name: document["n"] for (_, name), document in self.index.documents.items()}
        assert found == self.items(float("inf"))


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    time, changes = START, []
    for number in range(draw(st.integers(1, 8))):
        time += draw(st.sampled_from([0, 0, 1, 900, 4000]))
        changes.append(Change(number, time, draw(st.sampled_from(KEYS)), draw(st.booleans())))
    return changes


@st.composite
def queue_deliveries(draw: st.DrawFn) -> tuple[list[Change], list[tuple[float, list[int]]]]:
    """A history, and its records through a queue: in any order, any number of times, however late."""
    history = draw(histories())
    deliveries = []
    for change in history:
        for _ in range(draw(st.integers(1, 3))):
            late = draw(st.sampled_from([0, 1, 1500, 2000, 5000, 100_000]))
            deliveries.append((change.time + late + draw(st.floats(0, 1)), change.number))
    deliveries.sort()
    batches: list[tuple[float, list[int]]] = []
    for now, number in deliveries:
        if batches and draw(st.booleans()):
            batches[-1] = (now, draw(st.permutations([*batches[-1][1], number])))
        else:
            batches.append((now, [number]))
    return history, batches


@st.composite
def stream_deliveries(draw: st.DrawFn) -> tuple[list[Change], list[tuple[float, list[int]]]]:
    """A history, and its stream as a shard is read: in order, from any earlier place again, however late."""
    history = draw(histories())
    now, position, batches = float(history[-1].time), 0, []
    while position < len(history):
        size = draw(st.integers(1, len(history)))
        batches.append((now, list(range(position, min(position + size, len(history))))))
        position += size
        now += draw(st.sampled_from([0.0, 1.0, 5000.0]))
        if len(batches) < 8 and draw(st.booleans()):
            position = draw(st.integers(0, min(position, len(history))))
    return history, batches


def run(case: tuple[list[Change], list[tuple[float, list[int]]]], ordered: bool, **options: Any) -> None:
    history, batches = case
    world = World(history, **options)
    for now, batch in batches:
        world.deliver(now, batch, ordered)
    world.assert_equal()


@settings(max_examples=500)
@given(queue_deliveries())
def test_whatever_a_queue_does_to_the_records_the_index_ends_equal_to_the_table(case):
    run(case, ordered=False)


@settings(max_examples=500)
@given(stream_deliveries())
def test_however_a_shard_is_read_again_the_index_ends_equal_to_the_table(case):
    run(case, ordered=True)


def fails(**options: Any) -> None:
    """The property does not hold: some case is found that ends with another index."""

    @settings(max_examples=3000, database=None, phases=[Phase.generate])
    @given(queue_deliveries())
    def holds(case):
        run(case, ordered=False, **options)

    with pytest.raises(AssertionError):
        holds()


def test_without_versions_it_does_not_hold(monkeypatch):
    monkeypatch.setattr("service.records.tables.stream_version", lambda created, sequence: 1)
    fails()


def test_without_versions_on_deletes_it_does_not_hold(monkeypatch):
    original = ForgetfulIndex._write

    def unversioned(self, write: Write) -> Result:
        if isinstance(write.action, Delete):
            self.documents.pop((write.target, write.id), None)
            self.versions.pop((write.target, write.id), None)
            return Result(APPLIED.outcome)
        return original(self, write)

    monkeypatch.setattr(ForgetfulIndex, "_write", unversioned)
    fails()


def test_without_hints_for_what_comes_late_it_does_not_hold():
    fails(hint_after=float("inf"))


def test_without_the_newest_of_a_batch_it_does_not_hold(monkeypatch):
    monkeypatch.setattr(collapse, "_sort", lambda stack, writes: stack.sort(reverse=True))
    fails()
