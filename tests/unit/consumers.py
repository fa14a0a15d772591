"""Several consumers of one queue while the table changes. Each has a dispatcher; all write to one index."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import Any

from builders import sqs_message
from convergence import Change, WatchedIndex, World
from fakes import Bench, Items, Truth
from turns import Turns

from service.model import TableRecord
from service.model.serializer import typed
from service.pipeline import Result, Write
from service.pipeline.delivery import Fence, no_fence
from service.pipeline.prefetch import Prefetch


class SlowIndex(WatchedIndex):
    """An index that responds with a delay."""

    def __init__(self, turns: Turns):
        super().__init__()
        self._turns = turns

    def write(
        self, writes: Sequence[Write], fence: Fence = no_fence, prefetch: Prefetch | None = None
    ) -> list[Result]:
        self._turns.pause()
        return super().write(writes, fence, prefetch)


class SlowTruth(Truth):
    """A table that responds with a delay."""

    def __init__(self, turns: Turns):
        super().__init__()
        self._turns = turns

    def items(self, records: Sequence[TableRecord]) -> list[Any]:
        self._turns.pause()
        return super().items(records)


class Queue:
    """A model of a queue.

    A standard queue delivers in any order, and some messages twice. A FIFO queue holds back the messages of a
    group while one of them is in flight.
    """

    def __init__(self, chance: random.Random, fifo: bool):
        self._chance = chance
        self._fifo = fifo
        self._waiting: list[Change] = []
        self._held: list[Change] = []

    def __bool__(self) -> bool:
        return bool(self._waiting or self._held)

    def send(self, change: Change) -> None:
        self._waiting += [change] if self._fifo else [change] * self._chance.randint(1, 2)

    def receive(self) -> list[Change]:
        size = self._chance.randint(1, 5)
        if self._fifo:
            busy = {change.key for change in self._held}
            taken = [change for change in self._waiting if change.key not in busy][:size]
        else:
            taken = self._chance.sample(self._waiting, min(size, len(self._waiting)))
        for change in taken:
            self._waiting.remove(change)
        self._held += taken
        return taken

    def settle(self, taken: Sequence[Change], undone: Sequence[int]) -> None:
        for change in taken:
            self._held.remove(change)
        self._waiting[:0] = [taken[position] for position in undone]


class Scene:
    """A history that is written to the table while consumers process its records."""

    def __init__(self, history: Sequence[Change], seed: int, consumers: int, fifo: bool = False, **options: Any):
        chance = random.Random(seed)
        self.history = history
        self.turns = Turns(chance)
        self.index = SlowIndex(self.turns)
        self.truth = SlowTruth(self.turns)
        self.queue = Queue(chance, fifo)
        self._written = False
        self._records = World(history).records
        self._now = float(history[0].time)
        options |= {"index": self.index, "truth": self.truth, "clock": lambda: self._now}
        self._benches = [Bench(Items(), **options) for _ in range(consumers)]

    def run(self) -> None:
        self.turns.run([self._write, *[partial(self._consume, bench) for bench in self._benches]])

    def assert_equal(self) -> None:
        assert {name: document["n"] for (_, name), document in self.index.documents.items()} == {
            name: int(item["n"]["N"]) for name, item in self.truth.table.items()
        }

    def _write(self) -> None:
        for change in self.history:
            self.turns.pause()
            self._now = float(change.time)
            self.truth.table.pop(change.key, None)
            if not change.removes:
                self.truth.table[change.key] = typed(change.item)
            self.queue.send(change)
        self._written = True

    def _consume(self, bench: Bench) -> None:
        while self.queue or not self._written:
            self.turns.pause()
            taken = self.queue.receive()
            if taken:
                messages = [
                    sqs_message(self._records[change.number], f"m{place}") for place, change in enumerate(taken)
                ]
                self.queue.settle(taken, bench.dispatch(*messages).undone)
