"""Stuck records: a record that keeps failing while others succeed becomes a dead letter, whatever the cause."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError
from builders import s3_record, stream_record
from fakes import NOW, Bench, Items, Uploads, records

from service import Delete, Index, Retry
from service.model import Record
from service.pipeline import Delivery, Outcome, Result, Write, stuck_records
from service.pipeline.group_testing import FAN, Suspects, parts_of_suspects
from service.pipeline.stuck_records import PROBE, StuckRecords
from service.retry_policy import RetryPolicy

SEVEN_HOURS = 7 * 3600
BUSY = Result(Outcome.RETRY, "busy", 429)


def throttled() -> Exception:
    answer = {"Error": {"Code": "ThrottlingException"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(answer, "GetItem")  # type: ignore[arg-type]


def broken() -> Exception:
    answer = {"Error": {"Code": "InternalServerError"}, "ResponseMetadata": {"HTTPStatusCode": 500}}
    return ClientError(answer, "GetItem")  # type: ignore[arg-type]


REASONS = [
    pytest.param(lambda: Retry("not yet"), id="retry"),
    pytest.param(throttled, id="throttled"),
    pytest.param(broken, id="500"),
    pytest.param(lambda: ConnectionError("refused"), id="connection"),
]


class Documents(Items):
    """A route that raises the error made by `why` for the ids in `failing`."""

    why: ClassVar[Any] = None
    failing: ClassVar[set[str]] = {"k0"}
    asked: ClassVar[list[int]] = []

    def document(self, item):
        if item["id"] in self.failing:
            raise type(self).why()
        return {}


class Together(Documents):
    """The same route, with one call for all items."""

    def documents(self, items, context):
        self.asked.append(len(items))
        return [self.document(item) for item in items]


class Other(Items):
    index: ClassVar = "others"


def batch(size: int = 10) -> list[Record]:
    return records(*[stream_record(new={"id": f"k{n}"}, sequence=f"1{n:020d}") for n in range(size)])


def deliver(bench: Bench, left: list[Record], times: int) -> list[Record]:
    """Deliver up to `times` times. Return the records that a stream would redeliver next."""
    for _ in range(times):
        if left:
            report = bench.dispatcher.run(Delivery(left))
            left = left[report.undone[0] :] if report.undone else []
    return left


def old(*routes: Any, **options: Any) -> Bench:
    """Return a bench with the default retry time of 20 seconds, seven hours after the changes."""
    bench = Bench(*routes, clock=lambda: NOW + SEVEN_HOURS, **options)
    bench.dispatcher._retry_policy = RetryPolicy(20.0, clock=bench.clock, sleep=bench.sleep, chance=lambda: 1.0)
    return bench


@pytest.mark.parametrize("why", REASONS)
@pytest.mark.parametrize("route", [Documents, Together])
def test_a_record_that_its_route_never_gets_done_becomes_a_dead_letter(monkeypatch, route, why):
    monkeypatch.setattr(route, "why", staticmethod(why))
    bench = old(route(), Other())
    assert deliver(bench, batch(), 4) == []
    (letter,) = bench.letters.letters
    assert letter.record.keys == {"id": "k0"}
    assert "while others succeed" in letter.result.reason
    assert {name for index, name in bench.index.documents if index == "items"} == {f"k{n}" for n in range(1, 10)}
    assert {name for index, name in bench.index.documents if index == "others"} == {f"k{n}" for n in range(10)}


def test_a_record_that_a_route_with_methods_never_gets_done_becomes_a_dead_letter():
    class Methods(Items):
        def insert(self, record, context):
            if record.keys["id"] == "k0":
                raise Retry("not yet")
            return [Index({})]

        modify = remove = insert

    bench = old(Methods())
    assert deliver(bench, batch(), 4) == []
    assert [letter.record.keys for letter in bench.letters.letters] == [{"id": "k0"}]


@pytest.mark.parametrize("why", REASONS)
@pytest.mark.parametrize("route", [Documents, Together])
def test_while_a_route_gets_nothing_done_nothing_is_given_up(monkeypatch, route, why):
    monkeypatch.setattr(route, "why", staticmethod(why))
    monkeypatch.setattr(route, "failing", {f"k{n}" for n in range(10)})
    bench = old(route(), Other())
    assert len(deliver(bench, batch(), 10)) == 10
    assert bench.letters.letters == []
    monkeypatch.setattr(route, "failing", set())
    assert deliver(bench, batch(), 1) == []


def test_a_young_record_is_tried_again_for_as_long_as_it_is_young(monkeypatch):
    monkeypatch.setattr(Documents, "why", staticmethod(lambda: Retry("not yet")))
    bench = Bench(Documents(), tries=True)
    assert len(deliver(bench, batch(), 5)) == 10
    assert bench.letters.letters == []


def test_one_item_among_many_is_found_in_three_tries(monkeypatch):
    monkeypatch.setattr(Together, "why", staticmethod(lambda: Retry("not yet")))
    monkeypatch.setattr(Together, "asked", [])
    bench = old(Together())
    deliver(bench, batch(400), 1)
    assert Together.asked[0] == 400
    assert max(Together.asked[1:]) == 400 // FAN
    assert len(bench.documents) == 399


@pytest.mark.parametrize("status", [429, 503, None])
def test_a_document_that_alone_is_refused_becomes_a_dead_letter_after_three_deliveries(status):
    refused = Result(Outcome.RETRY, "refused", status)
    bench = Bench(Items(), forced={"k0": [refused] * 999}, clock=lambda: NOW + SEVEN_HOURS)
    assert len(deliver(bench, batch(), 2)) == 10
    assert bench.letters.letters == []
    assert deliver(bench, batch(), 1) == []
    assert [letter.record.keys for letter in bench.letters.letters] == [{"id": "k0"}]


def test_failures_that_are_not_in_a_row_do_not_add_up():
    good = Result(Outcome.APPLIED)
    bench = Bench(Items(), forced={"k5": [BUSY, good] * 99}, clock=lambda: NOW + SEVEN_HOURS)
    for _ in range(12):
        deliver(bench, batch(), 1)
    assert bench.letters.letters == []


def test_an_item_that_a_table_never_takes_becomes_a_dead_letter():
    bench = old(Uploads())
    bench.dispatcher._stuck = StuckRecords(lambda record: SEVEN_HOURS, 21_600.0)

    def write(writes: Any, fence: Any) -> list[Result]:
        return [BUSY if write.record.key == "a" else Result(Outcome.APPLIED) for write in writes]

    bench.table.write = write  # type: ignore[method-assign]
    uploads = records(s3_record("a"), s3_record("b"))
    for _ in range(3):
        report = bench.dispatcher.run(Delivery(uploads))
    assert report.undone == []
    assert [letter.record.key for letter in bench.letters.letters] == ["a"]


def test_a_failure_that_another_try_ends_is_not_remembered():
    good = Result(Outcome.APPLIED)
    forced = {"k0": [BUSY, good], "k1": [BUSY] * 999}
    bench = Bench(Items(), forced=forced, clock=lambda: NOW + SEVEN_HOURS, tries=True)
    deliver(bench, batch(), 1)
    assert len(bench.dispatcher._stuck.failures) == 1


@pytest.mark.parametrize(("version", "lowest"), [(7, 1), (None, None)])
def test_a_probe_deletes_nothing_and_has_a_version_where_the_index_has_versions(version, lowest):
    (record,) = batch(1)
    probe = stuck_records.probe_of(Write(record, Index({}), "items", "k0", version))
    assert (probe.action, probe.target, probe.id, probe.version) == (Delete(), "items", PROBE, lowest)


def test_the_memory_of_failures_is_bounded(monkeypatch):
    monkeypatch.setattr(stuck_records, "MOST", 3)
    forced = {f"k{n}": [BUSY] * 9 for n in range(9)}
    bench = Bench(Items(), forced=forced, clock=lambda: NOW + SEVEN_HOURS)
    deliver(bench, batch(), 1)
    assert len(bench.dispatcher._stuck.failures) == 3


def test_of_more_failures_than_are_remembered_the_latest_stay(monkeypatch):
    monkeypatch.setattr(stuck_records, "MOST", 3)
    bench = old(Items(), forced={f"k{n}": [BUSY] * 999 for n in range(4)})
    deliver(bench, batch(), 1)
    for _ in range(2):
        report = bench.dispatcher.run(Delivery(batch()[1:4]))
    assert [result.outcome for result in report.results] == [Outcome.REJECTED] * 3


def test_a_record_without_a_time_is_never_rejected_for_its_age():
    bench = old(Items(), forced={"k0": [BUSY] * 999})
    bench.dispatcher._stuck = StuckRecords(lambda record: math.inf, 20.0)
    assert deliver(bench, batch(), 4) != []
    assert bench.letters.letters == []


def test_suspects_are_bounded_and_the_latest_stay():
    suspects = Suspects(most=3)
    suspects.add("abc", 100)
    suspects.add("bd", 10)
    assert [suspects.size_of(name) for name in "abcd"] == [0, 10, 100, 10]
    suspects.clear("bcd")
    assert not suspects.failed


def test_suspects_that_failed_later_come_later():
    suspects = Suspects()
    for failed in ("ab", "c", "a"):
        suspects.add(failed, 10)
    assert sorted("abcd", key=suspects.turn_of) == ["d", "b", "c", "a"]


def test_suspects_go_in_parts_of_a_thirty_second_of_what_failed_the_largest_first():
    sizes = {"a": 1, "b": 64, "c": 64, "d": 64, "e": 5}
    assert list(parts_of_suspects([*sizes], sizes.__getitem__)) == [["b", "c"], ["d"], ["e"], ["a"]]


class Embedded(Items):
    pipeline: ClassVar = "embed"


DOWN = Result(Outcome.RETRY, "the model is down", 503)


def test_while_a_pipeline_takes_no_document_none_is_given_up_although_the_index_accepts_deletions():
    bench = old(Embedded(), forced={f"k{n}": [DOWN] * 100 for n in range(9)})
    deletion = records(stream_record("REMOVE", old={"id": "k9"}, sequence=f"1{9:020d}"))
    assert len(deliver(bench, [*batch(9), *deletion], 10)) == 10
    assert bench.letters.letters == []


def test_a_document_that_alone_fails_in_its_pipeline_becomes_a_dead_letter():
    bench = old(Embedded(), forced={"k0": [DOWN] * 100})
    assert deliver(bench, batch(), 4) == []
    assert [letter.record.keys for letter in bench.letters.letters] == [{"id": "k0"}]
