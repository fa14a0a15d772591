"""Several writes to one document in a batch: only the newest is sent, and older writes remain as a fallback."""

from __future__ import annotations

import pytest
from builders import stream_record
from fakes import Bench, Items, Truth, records
from hypothesis import given
from hypothesis import strategies as st

from service.model.serializer import typed
from service.pipeline import Delivery, Outcome, Result

REJECTED = Result(Outcome.REJECTED, "mapping")
RETRY = Result(Outcome.RETRY, "busy")


def change(number: int, name: str = "a"):
    # On AWS, the digits above the lowest 20 grow with each write of an item.
    return stream_record(new={"id": name, "n": number}, sequence=f"{number}00000000000000000000")


def test_only_the_newest_of_a_document_is_sent():
    bench = Bench(Items())
    assert bench.outcomes(change(1), change(3), change(2)) == ["STALE", "APPLIED", "STALE"]
    assert [write.action.document for write in bench.index.sent] == [{"n": 3}]


def test_when_the_newest_is_rejected_the_next_older_is_sent():
    bench = Bench(Items(), forced={"a": [REJECTED]})
    assert bench.outcomes(change(1), change(2), change(3)) == ["STALE", "APPLIED", "REJECTED"]
    assert bench.documents == {"a": {"n": 2}}


def test_when_the_newest_has_to_come_again_all_have_to():
    bench = Bench(Items(), forced={"a": [RETRY]})
    assert bench.outcomes(change(1), change(2), change(9, "b")) == ["RETRY", "RETRY", "APPLIED"]


def test_equal_versions_keep_the_order_of_the_stream():
    same = [
        stream_record(new={"id": "a", "n": number}, sequence=f"7{number:020d}", created=1_700_000_000)
        for number in (1, 2)
    ]
    bench = Bench(Items())
    bench.dispatch(*reversed(same))
    assert bench.documents == {"a": {"n": 2}}


@pytest.mark.parametrize("order", [1, -1])
def test_sequence_numbers_of_two_streams_are_not_compared(order):
    early = stream_record(new={"id": "a", "n": 1}, sequence=f"9{0:020d}", created=1_700_000_000.25)
    late = stream_record(new={"id": "a", "n": 2}, sequence=f"1{0:020d}", created=1_700_000_000.5)
    late["eventSourceARN"] += "-enabled-again"
    bench = Bench(Items())
    bench.dispatch(*[early, late][::order])
    assert bench.documents == {"a": {"n": 2}}


@given(st.permutations(range(1, 7)), st.lists(st.integers(1, 6), max_size=4), st.integers(1, 6))
def test_any_order_any_repetition_and_any_batches_end_with_the_newest(order, repeated, size):
    deliveries = [change(number) for number in [*order, *repeated]]
    bench = Bench(Items(), truth=Truth({"a": typed({"id": "a", "n": 6})}))
    for start in range(0, len(deliveries), size):
        bench.dispatcher.run(Delivery(records(*deliveries[start : start + size])))
    assert bench.documents == {"a": {"n": 6}}
