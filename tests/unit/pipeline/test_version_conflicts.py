"""Records of items whose versions conflict, or whose order is unknown: the newer state is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import sqs_message, stream_record
from fakes import Bench, Items, Truth
from item_records import HOUR_AGO, record, truth

from service import Index
from service.model.versions import RUNS_BACK, stream_version
from service.pipeline import Outcome, Result


def test_a_record_without_a_time_that_meets_a_version_is_written_at_that_version():
    bench = Bench(Items(), truth=truth(a=9))
    bench.dispatch(record(number=1))
    before = bench.index.versions["items", "a"]
    late = record()
    del late["dynamodb"]["ApproximateCreationDateTime"]
    assert bench.outcomes(late) == ["APPLIED"]
    assert bench.documents == {"a": {"n": 9}}
    assert bench.index.versions["items", "a"] == before


def test_a_conflict_within_a_second_is_settled_by_reading_at_the_version_that_was_found():
    bench = Bench(Items(), truth=truth(a=1))
    bench.dispatch(record(number=2))
    assert bench.outcomes(record(number=1)) == ["APPLIED"]
    assert bench.documents == {"a": {"n": 1}}
    assert bench.index.versions["items", "a"] == stream_version(1_700_000_000, 2 * 10**20)


@pytest.mark.parametrize("now", [{"a": 9}, {}])
def test_a_conflict_of_what_is_no_longer_there_is_left_to_the_record_that_is_still_to_come(now):
    bench = Bench(Items(), truth=truth(**now))
    bench.dispatch(record(number=2))
    assert bench.outcomes(record(number=1)) == ["STALE"]
    assert bench.documents == {"a": {"n": 2}}


def test_a_conflict_without_an_image_to_compare_is_settled_by_reading():
    class Titles(Items):
        def modify(self, record, context):
            return [Index({"n": record.new and record.new["n"]})]

        insert = modify

    bench = Bench(Titles(), truth=truth(a=9))
    bench.dispatch(record(number=2))
    bench.dispatch(stream_record("MODIFY", keys={"id": "a"}, sequence=f"{10**20}"))
    assert bench.documents == {"a": {"n": 9}}


def test_a_conflict_of_a_record_that_cannot_be_read_is_settled_by_reading():
    class Keys(Items):
        def modify(self, record, context):
            return [Index({"id": record.keys["id"]})]

        insert = modify

    bench = Bench(Keys(), truth=truth(a=9))
    bench.dispatch(record(number=2))
    odd = record(number=1)
    odd["dynamodb"]["NewImage"]["n"] = {"?": "1"}
    assert bench.outcomes(odd) == ["APPLIED"]


def test_a_conflict_within_a_second_in_a_queue_is_stale_and_costs_no_read():
    bench = Bench(Items(), truth=truth(a=9))
    bench.dispatch(record(number=2))
    assert bench.outcomes(sqs_message(record(number=1))) == ["STALE"]
    assert bench.documents == {"a": {"n": 2}}
    assert bench.truth.reads == []


def test_a_conflict_of_what_was_read_is_settled_by_reading_again():
    bench = Bench(Items(), truth=truth(a=9))
    bench.dispatch(record(number=2, created=HOUR_AGO))
    assert bench.outcomes(sqs_message(record(number=1, created=HOUR_AGO))) == ["APPLIED"]
    assert bench.documents == {"a": {"n": 9}}


def unranked(number: int, low: int, **rest: Any) -> Any:
    """Return a message whose sequence number has a form that was never seen on AWS."""
    raw = stream_record(new={"id": "a", "n": number}, sequence=f"{10**12 + number}{low:020d}", **rest)
    return sqs_message(raw, f"m{number}")


def test_a_record_from_a_queue_whose_sequence_number_has_an_unknown_form_is_read():
    bench = Bench(Items(), truth=truth(a=2))
    assert bench.outcomes(unranked(2, low=5)) == bench.outcomes(unranked(1, low=9)) == ["APPLIED"]
    assert bench.documents == {"a": {"n": 2}}


def test_of_one_shard_the_sequence_number_decides_which_is_newest_in_a_second():
    first, second = (json.loads(unranked(number, low)["body"]) for number, low in ((1, 9), (2, 5)))
    bench = Bench(Items(), truth=truth(a=2))
    assert bench.outcomes(first, second) == ["STALE", "APPLIED"]
    assert [write.action for write in bench.index.sent] == [Index({"n": 2})]


def overtaking(world: Truth, **changed: int) -> type[Items]:
    """Return a route that changes the table to `changed` while it runs. Its document has the state before that."""

    class Overtaken(Items):
        def document(self, item):
            world.table = truth(**changed).table
            return {"n": item["n"]}

    return Overtaken


@pytest.mark.parametrize("versions", ["external", None])
def test_what_versions_do_not_settle_is_looked_at_again_after_it_is_written(versions):
    world = truth(a=8)
    route = overtaking(world, a=9)
    route.versions = versions
    bench = Bench(route(), truth=world)
    bench.dispatch(unranked(1, low=1))
    assert bench.documents == {"a": {"n": 9}}
    assert [write.action for write in bench.index.sent] == [Index({"n": 8}), Index({"n": 9})]


def test_what_cannot_be_looked_at_again_is_tried_again():
    world = truth(a=8)

    class Breaking(Items):
        def document(self, item):
            world.error = ConnectionError("refused")
            return {"n": item["n"]}

    assert Bench(Breaking(), truth=world).outcomes(unranked(1, low=1)) == ["RETRY"]


def test_of_one_shard_the_sequence_number_decides_although_the_time_runs_back():
    later, earlier = record(number=2, created=1_700_000_019), record(number=1, created=1_700_000_020)
    bench = Bench(Items(), truth=truth(a=2))
    assert bench.outcomes(earlier, later) == ["STALE", "APPLIED"]
    assert bench.documents == {"a": {"n": 2}}


def test_a_record_of_a_shard_that_meets_a_version_of_a_few_seconds_later_is_read():
    bench = Bench(Items(), truth=truth(a=2))
    bench.dispatch(record(number=1, created=1_700_000_000 + RUNS_BACK))
    assert bench.outcomes(record(number=2, created=1_700_000_000)) == ["APPLIED"]
    assert bench.documents == {"a": {"n": 2}}
    assert bench.index.versions["items", "a"] == stream_version(1_700_000_000 + RUNS_BACK, 10**20)


def test_a_conflict_across_more_seconds_is_stale_and_costs_no_read():
    bench = Bench(Items(), truth=truth(a=9))
    bench.dispatch(record(number=1, created=1_700_000_001 + RUNS_BACK))
    assert bench.outcomes(record(number=2, created=1_700_000_000)) == ["STALE"]
    assert bench.truth.reads == []


def test_in_a_queue_the_time_decides_before_the_sequence_number():
    later, earlier = record(number=2, created=1_700_000_019), record(number=1, created=1_700_000_020)
    bench = Bench(Items(), truth=truth(a=2))
    assert bench.outcomes(sqs_message(earlier, "m1"), sqs_message(later, "m2")) == ["APPLIED", "STALE"]
    assert bench.outcomes(sqs_message(later)) == ["STALE"]


def test_records_of_a_shard_without_a_sequence_number_are_ordered_by_their_time():
    earlier, later = (record(number=n, created=1_700_000_000 + n) for n in (1, 2))
    del earlier["dynamodb"]["SequenceNumber"]
    bench = Bench(Items(), truth=truth(a=2))
    assert bench.outcomes(later, earlier) == ["APPLIED", "STALE"]


def test_plain_redelivery_costs_no_read():
    bench = Bench(Items(), truth=truth(a=9))
    assert bench.outcomes(record()) == bench.outcomes(record()) == ["APPLIED"]
    assert bench.truth.reads == []


def test_what_keeps_meeting_newer_versions_is_left_to_its_source():
    base = stream_version(1_700_000_000, 0)
    newer = [Result(Outcome.STALE, "newer", 409, base + number) for number in range(2, 20)]
    bench = Bench(Items(), truth=truth(a=1), forced={"a": newer})
    assert bench.outcomes(record()) == ["RETRY"]


def test_a_record_without_a_time_is_not_superseded_by_one_that_has_one():
    late = record(number=2)
    del late["dynamodb"]["ApproximateCreationDateTime"]
    for batch in ([record(number=1), late], [late, record(number=1)]):
        bench = Bench(Items(), truth=truth(a=2))
        assert bench.outcomes(*batch) == ["APPLIED", "APPLIED"]
        assert bench.documents == {"a": {"n": 2}}
        assert bench.index.versions["items", "a"] == stream_version(1_700_000_000, 10**20)


def test_a_record_without_a_time_waits_for_one_that_has_to_come_again():
    late = record(number=2)
    del late["dynamodb"]["ApproximateCreationDateTime"]
    bench = Bench(Items(), truth=truth(a=2), forced={"a": [Result(Outcome.RETRY, "busy")]})
    assert bench.outcomes(record(number=1), late) == ["RETRY", "RETRY"]
