"""Prefetch: the next part is prepared while a request is in flight, and nothing else changes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from threading import Event, get_ident
from typing import Any, ClassVar

import pytest
from builders import stream_record
from fakes import Bench, IndexModel, Items, records
from hypothesis import given
from hypothesis import strategies as st

from service.context import Context
from service.errors import Halt
from service.model import Item
from service.model.outcomes import NOT_SENT, PATIENCE, Outcome
from service.pipeline import Delivery, Result, Task, Write
from service.pipeline.batch_parts import parts_of
from service.pipeline.delivery import Fence, no_fence
from service.pipeline.prefetch import Prefetch, Prefetched, Sent
from service.routing import Document
from service.settings import Settings


def numbers(most: int, made: list[int]) -> Iterator[int]:
    for number in range(most):
        made.append(number)
        yield number


def test_the_next_is_made_when_it_is_prepared_and_once():
    made: list[int] = []
    ahead = Prefetched(numbers(3, made))
    assert next(ahead) == 0
    ahead.prepare()
    ahead.prepare()
    assert made == [0, 1]
    assert list(ahead) == [1, 2]
    ahead.prepare()
    assert list(ahead) == []


def test_what_making_the_next_raises_is_raised_where_it_is_asked_for():
    def failing() -> Iterator[int]:
        yield 0
        raise Halt("no more")

    ahead = Prefetched(failing())
    assert next(ahead) == 0
    ahead.prepare()
    with pytest.raises(Halt, match="no more"):
        next(ahead)


def test_a_request_is_on_its_way_while_this_thread_does_other_work():
    on_its_way, done = Event(), Event()
    here: list[int] = []

    def request() -> str:
        on_its_way.set()
        assert done.wait(10)
        return "answer"

    def prefetch() -> None:
        here.append(get_ident())
        assert on_its_way.wait(10)
        done.set()

    assert Sent(request, prefetch).answer() == "answer"
    assert here == [get_ident()]


def test_what_a_request_raises_is_raised_once_the_other_work_is_done():
    did: list[str] = []

    def request() -> None:
        raise Halt("refused")

    with pytest.raises(Halt, match="refused"):
        Sent(request, lambda: did.append("work")).answer()
    assert did == ["work"]


def change(key: str, number: int) -> Any:
    """Return the change of an item with this number."""
    return stream_record(new={"id": key, "n": number}, sequence=str((number + 1) * 10**20))


def tasks_of(keys: Sequence[str]) -> list[Task]:
    made = records(*(change(key, number) for number, key in enumerate(keys)))
    return [Task(position, record, None) for position, record in enumerate(made)]


@given(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=60), st.integers(1, 30))
def test_parts_hold_all_tasks_and_those_of_an_item_together_in_order(keys, most):
    tasks = tasks_of(keys)
    parts = parts_of(tasks, most)
    assert sorted(task.position for part in parts for task in part) == list(range(len(tasks)))
    for key in set(keys):
        (part,) = [part for part in parts if any(keys[task.position] == key for task in part)]
        positions = [task.position for task in part if keys[task.position] == key]
        assert positions == sorted(positions)
    assert all(len({keys[task.position] for task in part}) <= most for part in parts)


def test_a_large_batch_begins_with_little():
    sizes = [
        [len(part) for part in parts_of(tasks_of([f"k{n}" for n in range(size)]), 100)] for size in (100, 250)
    ]
    assert sizes == [[20, 80], [20, 80, 100, 50]]


class Watched(Items):
    """A route that records each call for an item."""

    events: ClassVar[list[str]] = []

    def document(self, item: Item) -> Document:
        self.events.append(f"asked {item['id']} in {get_ident()}")
        return {"n": item.get("n")}


class SlowIndex(IndexModel):
    """An index that runs `prefetch` before it answers."""

    def __init__(self, events: list[str]):
        super().__init__()
        self.events = events

    def write(
        self, writes: Sequence[Write], fence: Fence = no_fence, prefetch: Prefetch | None = None
    ) -> list[Result]:
        self.events.append(f"sent {len(writes)}")
        if prefetch is not None:
            prefetch()
        self.events.append("answered")
        return super().write(writes)


def small_parts() -> Context:
    return Context(Settings(bulk_actions=10))


def test_routes_are_asked_about_a_part_while_the_one_before_is_on_its_way_and_in_the_same_thread():
    events: list[str] = []
    Watched.events = events
    bench = Bench(Watched(), index=SlowIndex(events), context=small_parts())
    raws = [change(f"k{n}", n) for n in range(10)]
    assert bench.outcomes(*raws) == ["APPLIED"] * 10
    asked = [f"asked k{n} in {get_ident()}" for n in range(10)]
    assert events == [*asked[:2], "sent 2", *asked[2:], "answered", "sent 8", "answered"]


def test_a_batch_of_half_a_request_is_not_divided():
    events: list[str] = []
    bench = Bench(Items(), index=SlowIndex(events), context=small_parts())
    bench.dispatch(*(change(f"k{n}", n) for n in range(5)))
    bench.dispatch(*(change(f"k{n}", n) for n in range(6)))
    assert events == ["sent 5", "answered", "sent 2", "answered", "sent 4", "answered"]


def test_of_the_writes_to_one_document_in_several_parts_only_the_newest_is_sent():
    bench = Bench(Items(), context=small_parts())
    raws = [change(f"k{n % 9}", n) for n in range(40)]
    bench.dispatch(*raws)
    assert sorted(write.id for write in bench.index.sent) == [f"k{n}" for n in range(9)]
    assert bench.documents == {f"k{n % 9}": {"n": n} for n in range(31, 40)}


def test_what_halts_while_a_part_is_on_its_way_halts_the_batch_after_it():
    class Broken(Items):
        def document(self, item: Item) -> Document:
            if item["id"] == "k7":
                raise Halt("the route cannot go on")
            return {}

    bench = Bench(Broken(), context=small_parts())
    with pytest.raises(Halt, match="cannot go on"):
        bench.dispatch(*(change(f"k{n}", n) for n in range(10)))
    assert [write.id for write in bench.index.sent] == ["k0", "k1"]


def test_what_there_is_to_do_meanwhile_is_done_once_beside_the_last_part():
    events: list[str] = []
    bench = Bench(Items(), index=SlowIndex(events), context=small_parts())
    bench.index.forced = {"k9": [Result(Outcome.RETRY, "busy", conflict=1), Result(Outcome.APPLIED)]}
    batch = records(*(change(f"k{n}", n) for n in range(10)))
    bench.dispatcher.run(Delivery(batch, prefetch=lambda: events.append("meanwhile")))
    assert events == ["sent 2", "answered", "sent 8", "meanwhile", "answered"]


class Dead(IndexModel):
    """A search server that never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0

    def write(
        self, writes: Sequence[Write], fence: Fence = no_fence, prefetch: Prefetch | None = None
    ) -> list[Result]:
        self.requests += 1
        return [Result(Outcome.RETRY, "no answer")] * len(writes)


def test_a_server_that_does_not_answer_is_not_asked_for_every_part():
    bench = Bench(Items(), index=Dead(), context=small_parts())
    report = bench.dispatch(*(change(f"k{n}", n) for n in range(100)))
    assert bench.index.requests == PATIENCE
    assert {result.outcome for result in report.results} == {Outcome.RETRY}
    assert report.results[-1] is NOT_SENT


def test_a_request_takes_as_long_as_it_is_on_its_way(monkeypatch):
    from service.pipeline import Observer

    told: list[float] = []
    observer = Observer()
    monkeypatch.setattr(observer, "requested", lambda request: told.append(request.seconds))
    with observer.request("search", 1, 1, lambda error: None) as ended:
        ended.append(time.monotonic())
        time.sleep(0.2)
    assert told[0] < 0.2
