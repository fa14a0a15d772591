"""A document that makes every bulk request with it fail: it becomes a dead letter, and all others are written.

The settings are the defaults. Time is virtual: a request that hangs takes as long as the client's timeout.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from functools import cache
from typing import Any

import pytest
from builders import stream_record
from fakes import NOW, Bench, Items, records
from opensearchpy.exceptions import ConnectionError as Unreached
from opensearchpy.exceptions import ConnectionTimeout, TransportError

from service import Context
from service.deadline import NO_DEADLINE, deadline_of, request_time, time_left
from service.model import Record
from service.pipeline import Delivery
from service.retry_policy import RetryPolicy
from service.routing import IndexDeclaration
from service.settings import Settings
from service.sinks.opensearch import SearchSink

SEVEN_HOURS = 7 * 3600.0
POISONS = ("500", "502", "503", "504", "time-out", "reset")
DELIVERIES = 6
"""Enough deliveries to find one document among 10,000 and to see it fail three times."""

PROMPT = 0.01
"""Duration of a successful request in seconds."""


class Server:
    """A search server that fails each request with a `poison` document, and every request while it is `down`."""

    def __init__(self, poison: Collection[str], how: str, clock: list[float]):
        self.written: set[str] = set()
        self.requests = 0
        self.down = False
        self.indices = self
        self._poison = [f'"_id":"{name}"'.encode() for name in poison]
        self._how = how
        self._clock = clock

    def get_alias(self, index: str) -> Any:
        return {"items-000001": {"aliases": {"items": {}}}}

    def bulk(self, body: bytes) -> Any:
        self.requests += 1
        if self.down or any(name in body for name in self._poison):
            self._fail()
        self._clock[0] += PROMPT
        names = [
            line.partition(b'"_id":"')[2].partition(b'"')[0] for line in body.splitlines() if b'"_id"' in line
        ]
        self.written |= {name.decode() for name in names}
        return {"errors": True, "items": [{"index": {"status": 200}} for _ in names]}

    def _fail(self) -> None:
        if self._how == "time-out":
            self._clock[0] += min(request_time(Settings().search_timeout), max(time_left(), 0.0))
            raise ConnectionTimeout("TIMEOUT", "read timed out", Exception())
        self._clock[0] += PROMPT
        if self._how == "reset":
            raise Unreached("N/A", "connection reset by peer", Exception())
        raise TransportError(int(self._how), "internal error", {})


class World:
    """A dispatcher with default settings and this server, in a Lambda of `seconds` or in a container."""

    def __init__(self, poison: Collection[str], how: str, seconds: float = math.inf, age: float = SEVEN_HOURS):
        self.clock = [0.0]
        self.server = Server(poison, how, self.clock)
        self.seconds = seconds
        self.longest = 0.0
        context = Context(Settings(), search=self.server)
        sink = SearchSink(context, {"items": IndexDeclaration("items")}, clock=self._now)
        self.bench = Bench(Items(), index=sink, context=context, clock=lambda: NOW + age)
        self.bench.dispatcher._retry_policy = RetryPolicy(
            context.settings.retry_time, clock=self._now, sleep=self._sleep, chance=lambda: 0.5
        )

    def _now(self) -> float:
        return self.clock[0]

    def _sleep(self, seconds: float) -> None:
        self.clock[0] += seconds

    def get_remaining_time_in_millis(self) -> float:
        return (self._end - self.clock[0]) * 1000

    def deliver(self, batch: list[Record]) -> list[Record]:
        """Deliver the batch. Return the first unfinished record and all after it, as a stream redelivers them."""
        began, self._end = self.clock[0], self.clock[0] + self.seconds
        deadline = deadline_of(self) if self.seconds < math.inf else NO_DEADLINE
        report = self.bench.dispatcher.run(Delivery(batch, "test", deadline=deadline))
        self.longest = max(self.longest, self.clock[0] - began)
        return batch[report.undone[0] :] if report.undone else []

    @property
    def letters(self) -> list[str]:
        return [letter.record.keys["id"] for letter in self.bench.letters.letters]


@cache
def batch_of(size: int) -> list[Record]:
    return records(*[stream_record(new={"id": f"k{n}"}, sequence=f"1{n:020d}") for n in range(size)])


def names(size: int) -> set[str]:
    return {f"k{n}" for n in range(size)}


def deliveries(world: World, batch: list[Record], most: int = DELIVERIES) -> int:
    """Return the number of deliveries until the batch is finished."""
    for number in range(1, most + 1):
        batch = world.deliver(batch)
        if not batch:
            return number
    raise AssertionError(f"{len(batch)} records are unfinished after {most} deliveries")


@pytest.mark.parametrize("how", POISONS)
@pytest.mark.parametrize(
    ("size", "seconds"),
    [(1, math.inf), (10, math.inf), (100, math.inf), (1000, math.inf), (10, 60.0), (1000, 60.0)],
)
def test_one_poisonous_document_is_found_kept_and_holds_up_no_other(how: str, size: int, seconds: float):
    world = World([f"k{size // 3}"], how, seconds)
    deliveries(world, batch_of(size))
    assert world.letters == [f"k{size // 3}"]
    assert world.server.written - {"~probe"} == names(size) - {f"k{size // 3}"}
    assert world.longest < 60.0


@pytest.mark.parametrize("how", ["503", "time-out"])
def test_one_poisonous_document_is_found_among_ten_thousand(how: str):
    world = World(["k6789"], how, 60.0)
    deliveries(world, batch_of(10_000))
    assert world.letters == ["k6789"]
    assert len(world.server.written - {"~probe"}) == 9_999
    assert world.longest < 60.0


@pytest.mark.parametrize("seconds", [3.0, 10.0, 15.0, 30.0])
def test_a_document_that_hangs_is_found_in_a_function_of_few_seconds(seconds: float):
    world = World(["k33"], "time-out", seconds)
    deliveries(world, batch_of(100), 3 * DELIVERIES)
    assert world.letters == ["k33"]
    assert world.longest < seconds


@pytest.mark.parametrize("how", POISONS)
def test_many_poisonous_documents_are_found(how: str):
    poison = [f"k{n}" for n in range(3, 200, 29)]
    world = World(poison, how)
    deliveries(world, batch_of(200), 30)
    assert sorted(world.letters) == sorted(poison)
    assert world.server.written - {"~probe"} == names(200) - set(poison)


@pytest.mark.parametrize("how", POISONS)
@pytest.mark.parametrize(("size", "seconds"), [(1, math.inf), (100, math.inf), (100, 60.0)])
def test_while_the_server_is_down_nothing_is_given_up_and_afterwards_all_is_written(how, size, seconds):
    world = World([], how, seconds)
    world.server.down = True
    batch = batch_of(size)
    for _ in range(10):
        batch = world.deliver(batch)
    assert len(batch) == size
    assert world.longest < 100.0
    world.server.down, world.server.requests = False, 0
    assert deliveries(world, batch, 1) == 1
    assert world.letters == []
    assert world.server.written - {"~probe"} == names(size)
    assert world.server.requests <= size + 2


@pytest.mark.parametrize("how", POISONS)
def test_a_young_document_is_never_given_up_and_holds_up_no_other(how: str):
    world = World(["k3"], how, age=60.0)
    batch = batch_of(100)
    for _ in range(DELIVERIES):
        batch = world.deliver(batch)
    assert batch[0].keys["id"] == "k3"  # type: ignore[union-attr]
    assert world.letters == []
    assert world.server.written - {"~probe"} == names(100) - {"k3"}


@pytest.mark.parametrize("status", [400, 413])
def test_a_document_for_which_the_server_refuses_its_requests_is_found_at_once(status: int):
    def refuse() -> None:
        error = {"type": "action_request_validation_exception", "reason": "id [x] is too long"}
        raise TransportError(status, "?", {"error": error, "status": status})

    world = World(["k333"], "500", age=0.0)
    world.server._fail = refuse  # type: ignore[method-assign]
    assert deliveries(world, batch_of(1000)) == 1
    assert world.letters == ["k333"]


def test_a_poisonous_document_that_is_known_costs_the_others_no_request():
    world = World(["k3"], "time-out", age=60.0)
    batch = batch_of(100)
    for _ in range(3):
        batch = world.deliver(batch)
    world.clock[0] = 0.0
    world.server.written.clear()
    seen: list[tuple[float, int]] = []
    good: Callable[[bytes], Any] = world.server.bulk

    def bulk(body: bytes) -> Any:
        seen.append((world.clock[0], body.count(b'"_id"')))
        return good(body)

    world.server.bulk = bulk  # type: ignore[method-assign]
    world.deliver(batch)
    assert seen[0] == (0.0, 96)
    assert {count for _, count in seen[1:]} == {1}
