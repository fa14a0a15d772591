"""Outcomes of records: each record has exactly one, and an error in a route affects no other record."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pytest
from builders import eventbridge, s3_record, stream_arn, stream_record
from fakes import Bench, raising, records

from service import BucketRoute, Delete, DeleteItem, Index, PutItem, Reject, Retry, Skip, TableRoute
from service.errors import Halt, LeaseLost
from service.pipeline import Delivery, Outcome


class Items(TableRoute):
    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "items"

    def document(self, item):
        if item.get("hidden"):
            return None
        if "raise" in item:
            raise item["raise"] if isinstance(item["raise"], Exception) else ValueError("broken item")
        return {"title": item["title"]}


class Titles(TableRoute):
    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "titles"

    def insert(self, record, context):
        return [Index({"t": record.new["title"]})]

    def modify(self, record, context):
        return []


class Uploads(BucketRoute):
    bucket: ClassVar = "images-in"
    writes: ClassVar = {"table": "images"}

    def created(self, upload, context):
        if upload.key.startswith("retry"):
            raise Retry("not yet")
        if upload.key.startswith("skip"):
            raise Skip("gone")
        if upload.key.startswith("reject"):
            raise Reject("no image")
        yield PutItem({"id": upload.key})
        if upload.key.startswith("half"):
            raise RuntimeError("half-way")

    def deleted(self, upload, context):
        return [DeleteItem({"id": upload.key})]


def item(name: str, event: str = "INSERT", **rest: Any) -> dict[str, Any]:
    values = {"id": name, "title": "T", **rest}
    frame = {name: values.pop(name) for name in ("sequence", "created") if name in values}
    image = {"old": values} if event == "REMOVE" else {"new": values}
    return stream_record(event, **frame, **image)


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


def test_one_bad_item_of_a_batch_is_rejected_and_the_others_are_indexed():
    bench = Bench(Items())
    assert bench.outcomes(item("a"), item("b", **{"raise": True}), item("c")) == ["APPLIED", "REJECTED", "APPLIED"]
    assert sorted(bench.documents) == ["a", "c"]
    (letter,) = bench.letters.letters
    assert letter.route == "test_dispatching:Items"
    assert letter.record.raw["dynamodb"]["Keys"] == {"id": {"S": "b"}}
    assert "broken item" in letter.result.reason


def test_the_reason_of_a_missing_attribute_names_route_key_and_attribute():
    bench = Bench(Items())
    bench.dispatch(stream_record(new={"id": "a"}))
    (letter,) = bench.letters.letters
    assert "test_dispatching:Items" in letter.result.reason
    assert "key a" in letter.result.reason
    assert "'title'" in letter.result.reason


def test_a_record_feeds_every_route_that_matches():
    bench = Bench(Items(), Titles())
    assert bench.outcomes(item("a")) == ["APPLIED"]
    assert bench.index.documents == {("items", "a"): {"title": "T"}, ("titles", "a"): {"t": "T"}}


def test_of_two_routes_one_that_fails_is_kept_and_the_other_is_written():
    bench = Bench(Items(), Titles())
    assert bench.outcomes(item("a", **{"raise": True})) == ["REJECTED"]
    assert bench.index.documents == {("titles", "a"): {"t": "T"}}


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


def test_a_generator_that_fails_half_way_writes_nothing():
    bench = Bench(Uploads())
    assert bench.outcomes(s3_record("half")) == ["REJECTED"]
    assert bench.table.sent == []


def test_what_comes_behind_a_retry_of_the_same_object_is_held_back():
    bench = Bench(Uploads())
    outcomes = bench.outcomes(s3_record("retry"), s3_record("other"), s3_record("retry", "ObjectRemoved:Delete"))
    assert outcomes == ["RETRY", "APPLIED", "BLOCKED"]
    assert [write.action for write in bench.table.sent] == [PutItem({"id": "other"})]


def test_an_action_without_a_declared_target_is_refused():
    class Astray(Items):
        def remove(self, record, context):
            return [PutItem({"id": "x"})]

    class NoIndex(Uploads):
        def deleted(self, upload, context):
            return [Delete()]

    bench = Bench(Astray(), NoIndex())
    assert bench.outcomes(item("a", "REMOVE"), s3_record("a", "ObjectRemoved:Delete")) == ["REJECTED"] * 2
    assert bench.index.sent == []


@pytest.mark.parametrize("action", [Index({"title": "T"}), Delete()])
def test_what_is_said_of_a_missing_index_names_the_action_as_the_route_does(action):
    class NoIndex(Uploads):
        def deleted(self, upload, context):
            return [action]

    bench = Bench(NoIndex())
    bench.dispatch(s3_record("a", "ObjectRemoved:Delete"))
    assert f"{type(action).__name__} has no target: " in bench.letters.letters[0].result.reason


@pytest.mark.parametrize("answer", [{"a": 1}, [Index], [{"title": "T"}], 7, None])
def test_a_method_that_returns_no_actions_is_rejected(answer):
    class Odd(Items):
        def insert(self, record, context):
            return answer

    assert Bench(Odd()).outcomes(item("a")) == ["REJECTED"]


def test_a_wants_that_raises_hurts_its_own_route_alone():
    class Picky(Titles):
        def wants(self, record):
            raise ValueError("cannot tell")

    bench = Bench(Items(), Picky())
    assert bench.outcomes(item("a")) == ["REJECTED"]
    assert bench.index.documents == {("items", "a"): {"title": "T"}}
    assert (
        bench.letters.letters[0].route
        == "test_dispatching:test_a_wants_that_raises_hurts_its_own_route_alone.<locals>.Picky"
    )


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


def test_a_key_that_the_route_does_not_declare_is_rejected_naming_both():
    bench = Bench(Items())
    bench.dispatch(stream_record(keys={"PK": "a", "SK": "b"}, new={"title": "T"}))
    reason = bench.letters.letters[0].result.reason
    assert "id" in reason
    assert "PK, SK" in reason


def test_documents_are_asked_for_once_for_a_whole_batch():
    calls = []

    class Batched(Items):
        def documents(self, items, context):
            calls.append(len(items))
            return [{"n": len(items)} for _ in items]

    Bench(Batched()).dispatch(item("a"), item("b"), item("c", "MODIFY"))
    assert calls == [3]


def test_documents_of_another_number_than_items_are_rejected():
    class Short(Items):
        def documents(self, items, context):
            return []

    assert Bench(Short()).outcomes(item("a"), item("b")) == ["REJECTED", "REJECTED"]


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
    assert (letter.record, letter.route) == (batch[0], "test_dispatching:Uploads")
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


def test_the_reason_of_a_mistake_names_the_line_that_made_it():
    bench = Bench(Items())
    bench.dispatch(item("a", **{"raise": True}))
    assert re.search(r"\(test_dispatching\.py, line \d+\)$", bench.letters.letters[0].result.reason)


@pytest.mark.parametrize("document", ["text", 7, [("a", 1)]])
def test_a_document_that_is_no_mapping_is_rejected_in_words(document):
    class Odd(Items):
        def document(self, item):
            return document

    bench = Bench(Odd())
    assert bench.outcomes(item("a")) == ["REJECTED"]
    assert f"the document has type {type(document).__name__}" in bench.letters.letters[0].result.reason


def test_a_single_action_is_no_list_of_actions():
    class Single(Items):
        def insert(self, record, context):
            return Index({})

    bench = Bench(Single())
    bench.dispatch(item("a"))
    assert "return a list of actions" in bench.letters.letters[0].result.reason
