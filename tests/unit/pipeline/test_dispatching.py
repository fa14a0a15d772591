"""Outcomes of records: each record has exactly one, and its source receives it."""

from __future__ import annotations

from typing import ClassVar

import pytest
from builders import eventbridge, s3_record, stream_arn, stream_record
from fakes import Bench, raising, records
from picture_routes import Items, Titles, Uploads, item

from service import PutItem, Retry
from service.errors import Halt, LeaseLost
from service.pipeline import Delivery, Outcome


def test_an_insert_is_indexed_a_modify_replaces_it_and_a_remove_deletes_it():
    bench = Bench(Items())
    assert bench.outcomes(item("a")) == ["APPLIED"]
    assert bench.documents == {"a": {"title": "T"}}
    bench.dispatch(item("a", "MODIFY", title="U", sequence="100000000000000000002"))
    assert bench.documents == {"a": {"title": "U"}}
    bench.dispatch(item("a", "REMOVE", sequence="100000000000000000003"))
    assert bench.documents == {}


def test_a_late_record_never_wins_over_a_newer_one():
    bench = Bench(Items())
    bench.dispatch(item("a", "REMOVE", sequence="3", created=1_700_000_001))
    assert bench.outcomes(item("a", sequence="2", created=1_700_000_000)) == ["STALE"]
    assert bench.documents == {}


def test_a_document_of_none_is_deleted_so_that_an_item_can_be_hidden():
    bench = Bench(Items())
    bench.dispatch(item("a"))
    bench.dispatch(item("a", "MODIFY", hidden=True, sequence="100000000000000000002"))
    assert bench.documents == {}


def test_a_record_feeds_every_route_that_matches():
    bench = Bench(Items(), Titles())
    assert bench.outcomes(item("a")) == ["APPLIED"]
    assert bench.index.documents == {("items", "a"): {"title": "T"}, ("titles", "a"): {"t": "T"}}


def test_a_route_with_nothing_to_write_skips_the_record():
    assert Bench(Titles()).outcomes(item("a", "MODIFY")) == ["SKIPPED"]


def test_a_record_without_a_route_is_skipped_and_says_which_table():
    report = Bench(Items()).dispatch(stream_record(table="users", new={"id": "a"}))
    assert report.results[0].outcome is Outcome.SKIPPED
    assert report.results[0].unrouted
    assert "table users" in report.results[0].reason


def test_an_event_that_no_matching_route_implements_is_a_dead_letter():
    bench = Bench(Uploads())
    assert bench.outcomes(s3_record("a", "ObjectTagging:Put")) == ["REJECTED"]
    assert "Unimplemented: id=a eventName=ObjectTagging" in bench.letters.letters[0].result.reason


def test_an_event_that_a_route_ignores_is_skipped():
    class Deaf(Uploads):
        ignore: ClassVar = ("ObjectTagging",)

    bench = Bench(Deaf())
    assert bench.outcomes(s3_record("a", "ObjectTagging:Put")) == ["SKIPPED"]
    assert bench.letters.letters == []


DETAIL_TYPES = {
    "Object Tags Added": "ObjectTagging",
    "Object Tags Deleted": "ObjectTagging",
    "Object ACL Updated": "ObjectAcl",
    "Object Restore Initiated": "ObjectRestore",
    "Object Restore Completed": "ObjectRestore",
    "Object Restore Expired": "ObjectRestore",
    "Object Access Tier Changed": "IntelligentTiering",
    "Object Storage Class Changed": "LifecycleTransition",
}


@pytest.mark.parametrize(("detail_type", "family"), DETAIL_TYPES.items())
def test_an_event_of_eventbridge_is_ignored_by_the_name_of_its_family(detail_type, family):
    class Deaf(Uploads):
        ignore: ClassVar = (family,)

    raw = eventbridge("a b+c%.jpg", detail_type)
    del raw["detail"]["object"]["size"], raw["detail"]["object"]["sequencer"]  # AWS omits both in these events
    bench = Bench(Deaf())
    assert bench.outcomes(raw) == ["SKIPPED"]
    assert bench.letters.letters == []
    assert Bench(Uploads()).outcomes(raw) == ["REJECTED"]


def test_what_a_route_raises_names_the_outcome():
    bench = Bench(Uploads())
    keys = ["retry", "skip", "reject", "fine"]
    assert bench.outcomes(*map(s3_record, keys)) == ["RETRY", "SKIPPED", "REJECTED", "APPLIED"]


def test_what_comes_behind_a_retry_of_the_same_object_is_held_back():
    bench = Bench(Uploads())
    outcomes = bench.outcomes(s3_record("retry"), s3_record("other"), s3_record("retry", "ObjectRemoved:Delete"))
    assert outcomes == ["RETRY", "APPLIED", "BLOCKED"]
    assert [write.action for write in bench.table.sent] == [PutItem({"id": "other"})]


def test_a_value_that_cannot_be_read_rejects_its_record_alone():
    broken = item("b")
    broken["dynamodb"]["NewImage"]["title"] = {"N": "nonsense"}
    bench = Bench(Items())
    assert bench.outcomes(item("a"), broken) == ["APPLIED", "REJECTED"]
    assert "NewImage.title" in bench.letters.letters[0].result.reason


def test_a_record_that_cannot_be_decoded_is_kept_whole_and_the_others_go_on():
    bench = Bench(Items())
    bad = {"eventSource": "aws:dynamodb", "eventSourceARN": stream_arn(), "dynamodb": {"SequenceNumber": "7"}}
    assert bench.outcomes(bad, item("a")) == ["REJECTED", "APPLIED"]
    assert bench.letters.letters[0].record.raw == bad
    assert bench.letters.letters[0].record.identifier == "7"


def test_documents_are_asked_for_once_for_a_whole_batch():
    calls = []

    class Batched(Items):
        def documents(self, items, context):
            calls.append(len(items))
            return [{"n": len(items)} for _ in items]

    Bench(Batched()).dispatch(item("a"), item("b"), item("c", "MODIFY"))
    assert calls == [3]


def test_a_dead_letter_is_left_to_the_one_that_took_over():
    bench = Bench(Items())
    fence = raising(LeaseLost("taken over"))
    with pytest.raises(LeaseLost):
        bench.dispatcher.run(Delivery(records(stream_record(new={"id": "a", "raise": True})), fence=fence))
    assert bench.letters.letters == []


def test_nothing_is_acknowledged_when_dead_letters_cannot_be_kept():
    with pytest.raises(Halt):
        Bench(Items(), broken_letters=True).dispatch(stream_record(new={"id": "a"}))


def test_what_nobody_delivers_again_is_kept_as_exhausted_with_the_route_that_was_tried():
    bench = Bench(Uploads())
    batch = records(s3_record("retry"), s3_record("fine"))
    report = bench.dispatcher.run(Delivery(batch, redelivers=False))
    assert report.undone == []
    (letter,) = bench.letters.letters
    assert (letter.record, letter.route) == (batch[0], "picture_routes:Uploads")
    assert letter.result.reason.startswith("not redelivered by its source:")


def test_a_halt_keeps_what_nobody_delivers_again():
    class Halting(Uploads):
        def created(self, upload, context):
            raise Halt("no permission")

    bench = Bench(Halting())
    with pytest.raises(Halt):
        bench.dispatcher.run(Delivery(records(s3_record("a"), s3_record("b")), redelivers=False))
    assert [letter.record.key for letter in bench.letters.letters] == ["a", "b"]
    assert "not redelivered by its source: no permission" in bench.letters.letters[0].result.reason


def test_an_empty_batch_is_nothing_to_tell():
    bench = Bench(Items())
    assert bench.dispatch().results == []
    assert bench.observer.reports == []


def test_counts_name_each_outcome():
    report = Bench(Items()).dispatch(item("a"), item("b"), stream_record(new={"id": "c"}))
    assert report.counts() == {"rejected": 1, "applied": 2}
    assert report.undone == []


def test_a_lookup_that_is_throttled_is_not_repeated_for_each_item():
    calls = []

    class Throttled(Items):
        def documents(self, items, context):
            calls.append(len(items))
            raise Retry("throttled")

    bench = Bench(Throttled())
    assert bench.outcomes(item("a"), item("b"), item("c")) == ["RETRY"] * 3
    assert calls == [3]
    assert bench.index.sent == []
