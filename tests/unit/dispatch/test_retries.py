"""What may succeed later is tried again while there is time, and nothing else is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

import pytest
from builders import stream_record
from fakes import Bench, Items
from hypothesis import given
from hypothesis import strategies as st

from service import Context, Retry
from service.dispatch import Outcome, Result
from service.dispatch.patience import RESERVE, Patience
from service.errors import Halt

BUSY = Result(Outcome.RETRY, "busy")
BAD = Result(Outcome.REJECTED, "bad")


def record(name: str, number: int = 1):
    return stream_record(new={"id": name, "n": number}, sequence=f"{number}00000000000000000000")


def test_only_what_failed_is_sent_again_after_growing_pauses():
    bench = Bench(Items(), forced={"b": [BUSY, BUSY, BUSY]}, tries=True)
    assert bench.outcomes(record("a"), record("b"), record("c")) == ["APPLIED"] * 3
    assert [write.id for write in bench.index.sent] == ["a", "b", "c", "b", "b", "b"]
    assert bench.pauses == [0.1, 0.2, 0.4]
    assert bench.observer.retries == ["busy"] * 3


def test_what_is_rejected_is_not_tried_again():
    bench = Bench(Items(), forced={"a": [BAD]}, tries=True)
    assert bench.outcomes(record("a")) == ["REJECTED"]
    assert bench.pauses == []


def test_a_route_that_raises_retry_is_asked_again():
    calls = []

    class Late(Items):
        def document(self, item):
            calls.append(item["id"])
            if len(calls) < 3:
                raise Retry("not yet")
            return {}

    assert Bench(Late(), tries=True).outcomes(record("a")) == ["APPLIED"]
    assert calls == ["a"] * 3


def test_when_the_time_is_up_it_is_left_to_the_source():
    bench = Bench(Items(), forced={"a": [BUSY] * 1000}, tries=True)
    assert bench.outcomes(record("a")) == ["RETRY"]
    assert sum(bench.pauses) < 1000
    assert max(bench.pauses) == 10.0


def test_the_time_that_a_lambda_has_left_bounds_the_tries():
    parent = SimpleNamespace(get_remaining_time_in_millis=lambda: 1000 * (RESERVE + 1))
    bench = Bench(Items(), forced={"a": [BUSY] * 1000}, tries=True, context=Context(parent=parent))
    assert bench.outcomes(record("a")) == ["RETRY"]
    assert 0 < sum(bench.pauses) < 1


def test_what_is_newer_in_the_batch_still_wins_when_it_is_tried_again():
    bench = Bench(Items(), forced={"a": [BUSY, BAD]}, tries=True)
    assert bench.outcomes(record("a", 1), record("a", 2)) == ["APPLIED", "REJECTED"]
    assert bench.documents == {"a": {"n": 1}}


def test_a_halt_between_the_tries_ends_them():
    class Halting(Items):
        calls: ClassVar[list[int]] = []

        def document(self, item):
            self.calls.append(1)
            raise Halt("no permission") if len(self.calls) > 1 else Retry("not yet")

    with pytest.raises(Halt):
        Bench(Halting(), tries=True).dispatch(record("a"))


@given(most=st.floats(0, 100), remaining=st.floats(-10, 100), chances=st.lists(st.floats(0, 1), min_size=1))
def test_pauses_never_go_beyond_the_time_there_is(most, remaining, chances):
    now = [0.0]
    drawn = iter(chances * 10_000)
    patience = Patience(most, clock=lambda: now[0], chance=lambda: next(drawn))
    for pause in patience.pauses(remaining):
        assert 0 < pause <= patience.longest
        now[0] += pause
    assert now[0] <= max(0, min(most, remaining - RESERVE))
