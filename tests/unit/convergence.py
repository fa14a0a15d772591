"""Changes of a table, ways to deliver their records, and the expected final state of the index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import pytest
from builders import sqs_message, stream_arn, stream_record
from fakes import Bench, IndexModel, Items, Truth

from service.model.outcomes import Outcome
from service.model.serializer import typed
from service.model.table_record import scanned
from service.pipeline import Delivery, Result, Write, rereads
from service.pipeline.delivery import Fence, no_fence
from service.pipeline.prefetch import Prefetch
from service.pipeline.reread_rules import Decision, Facts, Moment, decide
from service.routing import Delete, Index, Route

START = 1_700_000_000
GC_DELETES = 3600.0
BAD = Result(Outcome.REJECTED, "the mapping has another type", 400)


@dataclass(frozen=True)
class Change:
    """A write to the table. `number` is its position in the history, `time` is in whole seconds.

    `value` is what the document of the item shows, by default the number. Items also have a `note`, which is in no
    document. `low` has the low digits of the sequence number. Without it, the number has the format of AWS. With
    it, the digits do not determine the order within a second. The index refuses a `bad` item. `back` is the number
    of seconds by which the clock of the record is behind the clock of the table.
    """

    number: int
    time: int
    key: str
    removes: bool
    low: int | None = None
    bad: bool = False
    back: int = 0
    value: int | None = None

    @property
    def n(self) -> int | str:
        value = self.number if self.value is None else self.value
        return f"no number {value}" if self.bad else value

    @property
    def item(self) -> dict[str, Any]:
        return {"id": self.key, "n": self.n, "note": self.number}

    def record(self, before: Change | None) -> dict[str, Any]:
        """Return the stream record. `before` is the change that made the item that exists before, if any."""
        event = "REMOVE" if self.removes else "MODIFY" if before else "INSERT"
        sequence = f"{self.number + 1}{0:020d}" if self.low is None else f"{10**12 + self.number}{self.low:020d}"
        images = {"old": before.item} if before else {"old": self.item} if self.removes else {}
        if not self.removes:
            images["new"] = self.item
        created = self.time - self.back
        return stream_record(event, sequence=sequence, created=created, keys={"id": self.key}, **images)


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
            states = [None, *[None if c.removes else c.n for c in history if c.key == key]]
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

    def __init__(self, history: Sequence[Change], route: Route | None = None, **options: Any):
        self.history = history
        self.truth = Truth()
        self.now = 0.0
        options.setdefault("index", ForgetfulIndex())
        options |= {"truth": self.truth, "clock": lambda: self.now}
        route = route or Items()
        self.bench = Bench(route, **options)
        self.redriving = Bench(route, always=True, **options)
        self.truth.index = self.bench.index
        seen: dict[str, Change] = {}
        self.records = []
        for change in history:
            self.records.append(change.record(seen.pop(change.key, None)))
            if not change.removes:
                seen[change.key] = change

    def items(self, now: float, good: bool = False) -> dict[str, dict[str, Any]]:
        """Return each item in the table at `now`. With `good`, skip changes that the index refuses."""
        found: dict[str, dict[str, Any]] = {}
        for change in self.history:
            if change.time <= now and not (good and change.bad and not change.removes):
                found.pop(change.key, None)
                if not change.removes:
                    found[change.key] = change.item
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
        return {key: typed(item) for key, item in self.items(now).items()}


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
    items = world.items(float("inf"), good=True)
    assert {name: document["n"] for name, document in found.items()} == {
        key: item["n"] for key, item in items.items()
    }
