"""Counts of records by source, route and outcome, in total and for each second of the last minute."""

from __future__ import annotations

from collections import Counter

from builders import stream_record
from fakes import Bench, Items

from service.pipeline import Outcome, Result
from service.telemetry.flow import WINDOW, Flow

REFUSED = Result(Outcome.REJECTED, "no")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def bench(**options):
    clock = Clock()
    made, flow = Bench(Items(), **options), Flow(clock)
    made.dispatcher._observer = flow
    return made, flow, clock


def record(key: str, **details):
    return stream_record(new={"id": key}, **details)


def test_records_are_counted_by_source_route_and_outcome():
    made, flow, _ = bench(forced={"b": [REFUSED]})
    made.dispatch(record("a"), record("b"), record("c", table="strangers"))
    found = {(counts.source, counts.route): counts for counts in flow.counts()}
    assert set(found) == {("test", "fakes:Items"), ("test", "")}
    assert found["test", "fakes:Items"].outcomes == Counter({Outcome.APPLIED: 1, Outcome.REJECTED: 1})
    assert found["test", "fakes:Items"].dead_letters == 1
    assert (found["test", ""].total, found["test", ""].dead_letters) == (1, 0)


def test_each_second_of_the_last_minute_is_counted_but_the_current_one():
    made, flow, clock = bench()
    made.dispatch(record("a"), record("b"))
    (counts,) = flow.counts()
    assert (sum(counts.seconds), counts.rate) == (0, 0.0)
    clock.now += 1
    made.dispatch(record("c"))
    clock.now += 2
    (counts,) = flow.counts()
    assert list(counts.seconds[-4:]) == [0, 2, 1, 0]
    assert len(counts.seconds) == WINDOW
    assert counts.total == 3


def test_a_rate_is_of_the_last_ten_seconds_or_of_all_where_that_is_less():
    made, flow, clock = bench()
    made.dispatch(*(record(str(n)) for n in range(20)))
    clock.now += 2
    assert flow.counts()[0].rate == 10.0
    clock.now += 8
    assert flow.counts()[0].rate == 2.0
    clock.now += 1
    assert flow.counts()[0].rate == 0.0


def test_what_is_older_than_a_minute_is_forgotten_but_for_the_total():
    made, flow, clock = bench()
    for _ in range(3 * WINDOW):
        made.dispatch(record("a"))
        clock.now += 1
    (counts,) = flow.counts()
    assert counts.total == 3 * WINDOW
    assert counts.seconds == [1] * WINDOW
    assert len(flow._tallies["test", "fakes:Items"].by_second) <= WINDOW + 1
