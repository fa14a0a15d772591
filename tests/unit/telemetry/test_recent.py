"""The latest records: bounded in number and bytes. Failures are kept longer than successes."""

from __future__ import annotations

import pytest
from builders import s3_record, stream_record
from fakes import Bench, Items, Truth

from service.model import TableRecord, Undecodable
from service.model.serializer import typed
from service.pipeline import Outcome, Result
from service.telemetry import recent
from service.telemetry.recent import Recent, Written, count, size_of

REFUSED = Result(Outcome.REJECTED, "no", 400)


def bench(most: int, **options):
    made, kept = Bench(Items(), **options), Recent(most, now=lambda: 5.0)
    made.dispatcher._observer = kept
    return made, kept


def record(key: str, **details):
    return stream_record(new={"id": key}, **details)


def keys(kept: Recent) -> list[str]:
    return [seen.key for seen in kept.records()]


def test_the_latest_are_kept_over_batches_the_latest_first():
    made, kept = bench(3)
    made.dispatch(record("a"), record("b"))
    made.dispatch(record("c"), record("d"))
    assert keys(kept) == ["d", "c", "b"]
    made.dispatch(*(record(str(n)) for n in range(100)))
    assert keys(kept) == ["99", "98", "97"]


def test_what_did_not_end_well_is_kept_beside_them():
    made, kept = bench(2, forced={"bad": [REFUSED] * 9, "busy": [Result(Outcome.RETRY, "busy")]})
    made.dispatch(record("bad"), record("busy"), *(record(str(n)) for n in range(50)))
    assert keys(kept) == ["49", "48", "busy", "bad"]
    made.dispatch(record("bad"), *(record(str(n)) for n in range(50)))
    assert keys(kept) == ["49", "48", "bad", "busy"]


def test_a_record_is_kept_with_how_it_ended_and_what_was_asked_for():
    made, kept = bench(5, forced={"a": [REFUSED]})
    made.dispatch(record("a"))
    (seen,) = kept.records()
    assert (seen.time, seen.source, seen.route, seen.event) == (5.0, "test", "fakes:Items", "INSERT")
    assert seen.result == REFUSED
    assert seen.writes == (Written("Index", "items", "a", seen.record.version),)
    assert kept.find(seen.id) is seen
    assert kept.find("else") is None


def test_a_reread_record_is_marked_and_one_that_was_written_as_received_is_not():
    made, kept = bench(5, always=True, truth=Truth({"a": typed({"id": "a"})}))
    made.dispatch(record("a"))
    assert kept.records()[0].reread
    made, kept = bench(5)
    made.dispatch(record("a"))
    assert not kept.records()[0].reread


def test_an_id_is_no_other_record_s_in_another_process():
    ids = set()
    for _ in range(2):
        made, kept = bench(5)
        made.dispatch(record("a"))
        ids.add(kept.records()[0].id)
    assert len(ids) == 2


def sized(key: str, size: int):
    """Return a record of `size` bytes, with that size in the stream record."""
    raw = stream_record(new={"id": key, "n": "x" * size})
    raw["dynamodb"]["SizeBytes"] = size
    return raw


def test_a_large_record_is_told_of_and_not_kept():
    made, kept = bench(5)
    made.dispatch(sized("small", 60_000))
    made.dispatch(sized("large", 70_000))
    large, small = kept.records()
    assert (large.key, large.record) == ("large", None)
    assert small.record is not None


def test_all_that_is_kept_is_bounded_in_bytes(monkeypatch):
    monkeypatch.setattr(recent, "BYTES", 10_000)
    made, kept = bench(1000)
    for number in range(40):
        made.dispatch(sized(str(number), 1000))
    assert 3 < len(kept.records()) <= 10
    assert keys(kept)[0] == "39"


def test_what_a_queue_s_message_says_of_its_size_is_not_believed():
    for source in ({}, {"identifier": "m-1"}):
        raw = sized("a", 70_000)
        raw["dynamodb"]["SizeBytes"] = 1
        assert (size_of(TableRecord(raw, **source)) > 70_000) is bool(source)


@pytest.mark.parametrize(
    ("value", "least"),
    [("x" * 10, 10), (b"x" * 10, 10), ({"a" * 5: ["b" * 5]}, 10), (None, 1), ({"n": {1, 2}}, 3)],
)
def test_the_size_of_anything_is_about_its_bytes(value, least):
    assert least <= count(value) <= least + 200


def test_the_size_of_what_is_huge_or_deep_is_not_counted_to_its_end():
    deep = []
    for _ in range(200_000):
        deep = [deep]
    for value in ("x" * 10_000_000, ["x"] * 1_000_000, deep):
        assert recent.LARGEST < count(value) < 2 * 10_000_000


def test_objects_and_what_cannot_be_read_are_named_too():
    made, kept = bench(5)
    made.dispatch(s3_record("a b.jpg"), {"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": "17"}})
    unread, upload = kept.records()
    assert (upload.event, upload.key) == ("ObjectCreated", "images-in/a b.jpg")
    assert (unread.event, unread.key) == ("undecodable", "17")
    assert isinstance(unread.record, Undecodable)
