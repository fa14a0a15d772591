"""Polling of shards: idle delay, prefetch, and bounded memory."""

from __future__ import annotations

import weakref
from collections import Counter
from typing import Any

import pytest
from stream_model import StreamModel
from stream_poller import Poller, root

from service.pipeline import Outcome, Report, Result


def test_an_idle_stream_is_asked_less_and_less_often_and_a_busy_one_at_once(checkpoints):
    model = StreamModel(page=10)
    poller = Poller(model, checkpoints, poll_interval=2.0, stream_batch_size=10)
    poller.run_for(60)
    asked = model.calls.count("GetRecords")
    assert 25 < asked < 45
    before = model.now
    poller.run(poller.has_seen(model.write(root(model), 1000)), within=10)
    assert model.now - before < 3


def test_a_write_after_a_pause_is_seen_with_the_next_look_and_those_after_it_soon(checkpoints):
    model = StreamModel()
    poller = Poller(model, checkpoints, poll_interval=1.0)
    poller.run_for(30)
    for _ in range(3):
        before = model.now
        poller.run(poller.has_seen(model.write(root(model), 1)), within=5)
        assert model.now - before <= 1.01
        before = model.now
        poller.run(poller.has_seen(model.write(root(model), 1)), within=5)
        assert model.now - before <= 0.11
        poller.run_for(30)


class Trickle(Poller):
    """A poller with a sink that needs no time, and a shard that gets a record every 0.01 seconds."""

    def _wait(self, condition: Any, seconds: float) -> None:
        end = self.model.now + seconds
        while self.model.now < end:
            super()._wait(condition, min(end - self.model.now, 0.01))
            self.model.write(root(self.model), 1)


@pytest.mark.long(after=1)
@pytest.mark.parametrize(("poll_interval", "asked"), [(0.5, 10), (0.05, 20)])
def test_a_shard_that_gives_little_at_once_is_left_to_gather_more(checkpoints, poll_interval, asked):
    """The delay is at most the idle delay."""
    model = StreamModel(page=1000)
    poller = Trickle(model, checkpoints, poll_interval=poll_interval)
    poller.run_for(100)
    assert model.calls.count("GetRecords") == pytest.approx(100 * asked, rel=0.1)
    assert len(poller.seen) == pytest.approx(100 / 0.01, rel=0.05)


def test_pages_that_are_not_small_and_those_of_a_shard_that_is_behind_are_read_on_at_once(checkpoints):
    for page, age in ((10, 0.0), (2, 60.0)):
        model = StreamModel(page=page)
        poller = Poller(model, checkpoints, stream_batch_size=100, poll_interval=3.0)
        poller.run_for(10)
        numbers = model.write(root(model), 300)
        model.now += age
        before = model.now
        poller.run(poller.has_seen(numbers), within=30)
        assert model.now - before <= 3.01


def test_what_was_read_ahead_is_not_asked_for_again_unless_some_before_it_must_come_again(checkpoints):
    model = StreamModel(page=10)
    poller = Poller(model, checkpoints)
    numbers = model.write(root(model), 50)
    model.now += 60  # the shard lags
    poller.run(poller.has_seen(numbers))
    assert poller.seen == numbers
    assert model.calls.count("GetRecords") == 6  # the last one was a prefetch and returned no records
    more = model.write(root(model), 30)
    model.now += 60
    poller.failing = {more[12]}
    poller.run(poller.has_seen(more))
    assert poller.seen == [*numbers, *more[:20], *more[12:]]


def test_what_cannot_be_read_ahead_is_read_when_it_is_its_turn(checkpoints):
    model = StreamModel(page=10)
    poller = Poller(model, checkpoints)
    numbers = model.write(root(model), 30)
    model.now += 60
    first = next(iter(poller.source))
    model.throttled = 1
    first.delivery.prefetch()
    assert model.throttled == 0
    first.settle(Report([Result(Outcome.APPLIED)] * 10))
    poller.run(poller.has_seen(numbers[10:]))


def test_what_was_read_is_let_go_while_another_thread_has_the_turn(checkpoints):
    model = StreamModel(page=2)
    model.write(root(model), 4)
    model.now += 60  # a shard that lags is read again at once
    poller = Poller(model, checkpoints)
    another, taken, began = iter(poller.source), [], model.now

    def let_go() -> bool:
        if poller.last is None:
            return False
        if not taken:
            taken.append(next(another))
        return poller.last() is None and model.now < began + 5

    poller.run(let_go, within=10)


class Held(dict):
    """A page or a record that weak references can track."""


class Weighed(StreamModel):
    """Streams that count their returned pages and records that are still in memory."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self._given: dict[str, weakref.WeakSet[Held]] = {"pages": weakref.WeakSet(), "records": weakref.WeakSet()}
        self.most: Counter[str] = Counter()

    def get_records(self, ShardIterator: str, Limit: int) -> Any:
        answer = Held(super().get_records(ShardIterator, Limit))
        answer["Records"] = [Held(record) for record in answer["Records"]]
        self._given["pages"].add(answer)
        for record in answer["Records"]:
            self._given["records"].add(record)
        for kind, there in self._given.items():
            self.most[kind] = max(self.most[kind], len(there))
        return answer


Held.__hash__ = object.__hash__  # type: ignore[assignment]
Held.__eq__ = object.__eq__  # type: ignore[assignment]


@pytest.mark.parametrize("shards", [10, 200])
def test_memory_is_bounded_by_threads_whatever_the_number_of_shards_that_are_behind(checkpoints, shards):
    model, workers, page = Weighed(page=100), 4, 5
    children = model.split(root(model), shards)
    for child in children:
        model.write(child, 16 * page)
    model.now += 600
    poller = Poller(model, checkpoints, stream_batch_size=page, poll_interval=1.0)
    threads = [iter(poller.source) for _ in range(workers)]
    first: dict[str, int] = {}
    poller.wait_for(100.0)
    turn, seen = 0, 0
    while seen < shards * 8 * page:  # half of all records
        in_hand = [next(thread) for thread in threads]
        for batch in in_hand:
            first.setdefault(batch.records[0].shard, turn)
            turn += 1
            if batch.delivery.prefetch is not None:
                batch.delivery.prefetch()
        for batch in in_hand:
            seen += len(batch.records)
            failing = turn % 40 == 39
            outcomes = [Result(Outcome.RETRY if failing else Outcome.APPLIED, "busy")] * len(batch.records)
            seen -= len(batch.records) if failing else 0
            batch.settle(Report(outcomes))
        del batch, in_hand
    assert model.most["pages"] <= 2 * workers + 1
    assert model.most["records"] <= (2 * workers + 1) * page
    assert len(first) == shards
    assert max(first.values()) < 5 * shards + 50  # no shard waits until others are read to their end
