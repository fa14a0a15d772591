"""Retries: transient failures are retried while there is time, and other failures are not."""

from __future__ import annotations

from typing import ClassVar

import pytest
from botocore.exceptions import ClientError
from builders import stream_record
from fakes import NOW, Bench, Items, Truth, records
from hypothesis import given
from hypothesis import strategies as st

from service import Retry
from service.deadline import RESERVE, Deadline
from service.errors import Halt
from service.model.outcomes import Lasting
from service.pipeline import Delivery, Outcome, Result
from service.pipeline.stuck_records import PROBE
from service.retry_policy import RetryPolicy

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
    bench = Bench(Items(), forced={"a": [BUSY] * 1000}, tries=True)
    report = bench.dispatcher.run(Delivery(records(record("a")), deadline=Deadline(lambda: RESERVE + 1)))
    assert report.undone == [0]
    assert 0 < sum(bench.pauses) < 1


def test_the_time_that_its_source_leaves_for_a_batch_bounds_the_tries():
    bench = Bench(Items(), forced={"a": [BUSY] * 1000}, tries=True)
    report = bench.dispatcher.run(Delivery(records(record("a")), retry_time=RESERVE + 1))
    assert report.undone == [0]
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
    patience = RetryPolicy(most, clock=lambda: now[0], chance=lambda: next(drawn))
    for pause in patience.pauses(remaining):
        assert 0 < pause <= patience.longest
        now[0] += pause
    assert now[0] <= max(0, min(most, remaining - RESERVE))


RACE = Result(Outcome.RETRY, "mapper [n] cannot be changed", 400, lasting=Lasting.REJECT)
STRANGE = Result(Outcome.RETRY, "the search server answered 407", lasting=Lasting.HALT)


def test_a_race_for_a_mapping_is_tried_again_and_rejected_only_if_it_lasts():
    bench = Bench(Items(), forced={"a": [RACE, RACE], "b": [RACE] * 999}, tries=True)
    assert bench.outcomes(record("a"), record("b")) == ["APPLIED", "REJECTED"]
    (letter,) = bench.letters.letters
    assert letter.result.reason == f"failed after {len(bench.pauses) + 1} tries: {RACE.reason}"


@pytest.mark.parametrize(("seconds", "tries"), [(0.05, 1), (0.15, 2), (0.35, 3), (0.75, 4)])
def test_a_race_for_a_mapping_is_rejected_after_three_tries(seconds, tries):
    bench = Bench(Items(), forced={"a": [RACE] * 99})
    bench.dispatcher._retry_policy = RetryPolicy(seconds, clock=bench.clock, sleep=bench.sleep, chance=lambda: 1.0)
    assert bench.outcomes(record("a")) == ["REJECTED" if tries >= 3 else "RETRY"]
    assert len(bench.index.sent) == tries


def test_a_race_for_a_mapping_without_time_for_more_tries_is_left_to_the_source():
    assert Bench(Items(), forced={"a": [RACE]}).outcomes(record("a")) == ["RETRY"]


def test_an_answer_that_nobody_knows_halts_once_it_lasted_and_becomes_no_dead_letter():
    bench = Bench(Items(), forced=dict.fromkeys("ab", [STRANGE] * 999), tries=True)
    with pytest.raises(Halt, match="407"):
        bench.dispatch(record("a"), record("b"))
    assert sum(bench.pauses) > 900
    assert bench.letters.letters == []


def test_an_answer_that_nobody_knows_is_left_to_the_source_while_others_succeed():
    bench = Bench(Items(), forced={"a": [STRANGE] * 999}, tries=True)
    assert bench.outcomes(record("a"), record("b")) == ["RETRY", "APPLIED"]


def test_an_answer_that_nobody_knows_and_that_passes_is_nothing():
    bench = Bench(Items(), forced=dict.fromkeys("ab", [STRANGE] * 2), tries=True)
    assert bench.outcomes(record("a"), record("b")) == ["APPLIED", "APPLIED"]


BROKEN = Result(Outcome.RETRY, "internal error", 500)
SEVEN_HOURS = 7 * 3600


def test_a_record_that_alone_meets_errors_for_hours_is_rejected_and_holds_up_nobody():
    bench = Bench(Items(), forced={"a": [BROKEN] * 999}, tries=True, clock=lambda: NOW + SEVEN_HOURS)
    for _ in range(2):
        assert bench.outcomes(record("a"), record("b")) == ["RETRY", "APPLIED"]
    assert bench.outcomes(record("a"), record("b")) == ["REJECTED", "APPLIED"]
    assert "while others succeed" in bench.letters.letters[0].result.reason


def test_a_record_that_meets_errors_by_itself_is_rejected_once_the_index_takes_another_write():
    bench = Bench(Items(), forced={"a": [BROKEN] * 999}, tries=True, clock=lambda: NOW + SEVEN_HOURS)
    assert [bench.outcomes(record("a")) for _ in range(3)] == [["RETRY"], ["RETRY"], ["REJECTED"]]
    assert [write.id for write in bench.index.sent if write.id != "a"] == [PROBE] * 3
    assert bench.documents == {}


def test_an_index_in_trouble_is_asked_once_and_nothing_is_rejected():
    forced = dict.fromkeys(["a", "b", PROBE], [BROKEN] * 999)
    bench = Bench(Items(), forced=forced, tries=True, clock=lambda: NOW + SEVEN_HOURS)
    assert bench.outcomes(record("a"), record("b")) == ["RETRY", "RETRY"]
    assert [write.id for write in bench.index.sent].count(PROBE) == 1


def test_a_route_that_meets_errors_by_itself_is_tried_again_however_old_its_record():
    class Failing(Items):
        def document(self, item):
            failed = {"ResponseMetadata": {"HTTPStatusCode": 500}, "Error": {"Code": "InternalError"}}
            raise ClientError(failed, "GetObject")

    bench = Bench(Failing(), tries=True, clock=lambda: NOW + SEVEN_HOURS)
    assert bench.outcomes(record("a")) == ["RETRY"]
    assert bench.index.sent == []


def test_an_error_that_was_met_only_once_is_no_reason_to_give_up_however_old_the_record():
    bench = Bench(Items(), forced={"a": [BROKEN]}, clock=lambda: NOW + SEVEN_HOURS)
    assert bench.outcomes(record("a"), record("b")) == ["RETRY", "APPLIED"]


def test_a_young_record_that_alone_meets_errors_is_tried_again():
    bench = Bench(Items(), forced={"a": [BROKEN] * 999}, tries=True)
    assert bench.outcomes(record("a"), record("b")) == ["RETRY", "APPLIED"]


def test_a_record_that_is_only_turned_away_is_tried_again_however_old():
    busy = Result(Outcome.RETRY, "busy", 429)
    bench = Bench(Items(), forced={"a": [busy] * 999}, tries=True, clock=lambda: NOW + SEVEN_HOURS)
    assert bench.outcomes(record("a"), record("b")) == ["RETRY", "APPLIED"]


def test_what_succeeds_in_another_index_says_nothing_about_this_one():
    class Others(Items):
        index: ClassVar = "others"
        where: ClassVar = {"id": "b*"}

    class Mine(Items):
        where: ClassVar = {"id": "a*"}

    forced = dict.fromkeys(["a", PROBE], [BROKEN] * 999)
    bench = Bench(Mine(), Others(), forced=forced, tries=True, clock=lambda: NOW + SEVEN_HOURS)
    assert bench.outcomes(record("a"), record("b")) == ["RETRY", "APPLIED"]


def test_a_record_that_does_not_say_when_it_was_made_is_never_given_up():
    undated = record("a")
    del undated["dynamodb"]["ApproximateCreationDateTime"]
    bench = Bench(Items(), forced={"a": [BROKEN] * 999}, tries=True, truth=Truth({"a": {"id": {"S": "a"}}}))
    assert bench.outcomes(undated, record("b")) == ["RETRY", "APPLIED"]


def test_an_item_that_its_route_wants_later_holds_up_no_other():
    class Later(Items):
        def document(self, item):
            if item["id"] == "b":
                raise Retry("not yet")
            return {}

    assert Bench(Later()).outcomes(record("a"), record("b"), record("c")) == ["APPLIED", "RETRY", "APPLIED"]


def test_a_request_for_many_items_that_fails_is_not_made_many():
    class Looking(Items):
        calls: ClassVar[list[int]] = []

        def documents(self, items, context):
            self.calls.append(len(items))
            raise Retry("busy")

    assert Bench(Looking()).outcomes(record("a"), record("b")) == ["RETRY", "RETRY"]
    assert Looking.calls == [2]
