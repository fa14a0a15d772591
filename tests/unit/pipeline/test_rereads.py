"""Re-reads: for a record that is not trusted, the current state is read and written."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError
from builders import s3_record, sns_record, sqs_message, stream_record
from fakes import NOW, Bench, IndexModel, Items, Truth, Uploads, records

from service import BucketRoute, Delete, DeleteItem, Index, InsertRows, PutItem, TableRoute
from service.errors import DeclarationError, Halt
from service.model import Revision
from service.model.outcomes import APPLIED
from service.model.serializer import typed
from service.model.versions import RUNS_BACK, stream_version
from service.pipeline import Outcome, Result
from service.pipeline.rereads import PROMPT

HOUR_AGO = NOW - 3600
AT_ONCE = lambda: 1_795_305_600.0  # noqa: E731  # the time of the events of s3_record


class Files(BucketRoute):
    bucket: ClassVar = "images-in"
    index: ClassVar = "files"

    def created(self, upload, context):
        return [Index({"key": upload.key})]

    def deleted(self, upload, context):
        return [Delete()]


def truth(**items: int) -> Truth:
    return Truth({name: typed({"id": name, "n": number}) for name, number in items.items()})


def record(name: str = "a", number: int = 1, **rest: Any) -> Any:
    sequence = f"{number}00000000000000000000"
    return stream_record(new={"id": name, "n": number}, sequence=sequence, **rest)


def test_a_record_of_the_stream_is_taken_at_its_word_however_old():
    bench = Bench(Items(), truth=truth(a=9))
    bench.dispatch(record(created=HOUR_AGO))
    assert bench.documents == {"a": {"n": 1}}
    assert bench.truth.reads == []


def test_a_late_creation_by_a_queue_that_the_index_knew_nothing_of_is_read_and_removed_if_it_is_gone():
    bench = Bench(Items(), truth=truth())
    assert bench.outcomes(sqs_message(record(created=NOW - PROMPT - 1))) == ["APPLIED"]
    assert [type(write.action).__name__ for write in bench.index.sent] == ["Serialised", "Delete"]
    assert bench.documents == {}


def test_a_late_creation_by_a_queue_of_what_has_changed_since_is_left_to_the_record_of_that_change():
    bench = Bench(Items(), truth=truth(a=9))
    assert bench.outcomes(sqs_message(record(created=NOW - PROMPT - 1))) == ["APPLIED"]
    assert bench.documents == {"a": {"n": 1}}
    assert bench.truth.reads == [["a"]]


def test_what_the_index_had_is_not_read_again():
    bench = Bench(Items(), truth=truth())
    bench.dispatch(record(number=1))
    bench.dispatch(sqs_message(record(number=2, created=NOW - PROMPT - 1)))
    assert bench.truth.reads == []


def test_a_prompt_creation_by_a_queue_is_not_read_again():
    bench = Bench(Items(), truth=truth())
    bench.dispatch(sqs_message(record(created=NOW - PROMPT)))
    assert bench.truth.reads == []


def test_a_creation_of_a_shard_is_not_read_again_however_old():
    bench = Bench(Items(), truth=truth())
    bench.dispatch(record(created=HOUR_AGO))
    assert bench.truth.reads == []


@pytest.mark.parametrize(("objects", "left"), [([], {}), (["k"], {"k": {"key": "k"}})])
def test_a_late_document_of_an_object_that_the_index_knew_nothing_of_is_read_again(objects, left):
    bench = Bench(Files(), truth=Truth(objects=objects), clock=lambda: AT_ONCE() + PROMPT + 1)
    assert bench.outcomes(s3_record("k")) == ["APPLIED"]
    assert bench.documents == left
    assert bench.truth.reads[0] == ["k"]


def test_what_cannot_be_read_again_after_its_creation_is_tried_again():
    bench = Bench(Items(), truth=truth())
    bench.truth.error = ConnectionError("refused")
    assert bench.outcomes(sqs_message(record(created=NOW - PROMPT - 1))) == ["RETRY"]


def test_a_record_from_a_queue_is_taken_at_its_word_while_it_is_young():
    bench = Bench(Items(), truth=truth(a=9))
    bench.dispatch(record(number=1, created=NOW - 1800))
    bench.dispatch(sqs_message(record(number=2, created=NOW - 1700)))
    assert bench.documents == {"a": {"n": 2}}
    assert bench.truth.reads == []


def test_an_old_record_from_a_queue_is_read_and_written_at_its_own_version():
    bench = Bench(Items(), truth=truth(a=9))
    bench.dispatch(sqs_message(record(created=HOUR_AGO)))
    assert bench.documents == {"a": {"n": 9}}
    assert bench.index.versions["items", "a"] == stream_version(HOUR_AGO, 10**20)


def test_an_old_record_of_an_item_that_is_gone_deletes_its_document():
    bench = Bench(Items(), truth=truth())
    bench.dispatch(sqs_message(record(created=HOUR_AGO)))
    assert [type(write.action) for write in bench.index.sent] == [Delete]


def test_many_hints_are_read_at_once():
    bench = Bench(Items(), truth=truth(a=1, b=2, c=3))
    bench.dispatch(*[sqs_message(record(name, created=HOUR_AGO), name) for name in "abc"])
    assert bench.truth.reads == [["a", "b", "c"]]


def test_a_route_that_fetches_reads_every_record():
    class Fetching(Items):
        fetch: ClassVar = True

    bench = Bench(Fetching(), truth=truth(a=9))
    bench.dispatch(record())
    assert bench.documents == {"a": {"n": 9}}


def test_a_stream_without_new_images_is_read():
    bench = Bench(Items(), truth=truth(a=9))
    assert bench.outcomes(stream_record("MODIFY", keys={"id": "a"})) == ["APPLIED"]
    assert bench.documents == {"a": {"n": 9}}


@pytest.mark.parametrize("created", [None, "yesterday", 5, -1])
def test_a_record_without_a_usable_time_is_read(created):
    raw = record()
    raw["dynamodb"]["ApproximateCreationDateTime"] = created
    bench = Bench(Items(), truth=truth(a=9))
    bench.dispatch(raw)
    assert bench.documents == {"a": {"n": 9}}


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


def test_an_item_that_cannot_be_read_now_is_tried_again():
    bench = Bench(Items(), truth=truth())
    bench.truth.error = ConnectionError("refused")
    assert bench.outcomes(sqs_message(record(created=HOUR_AGO)), record("b")) == ["RETRY", "APPLIED"]


def test_an_index_without_versions_gets_none_and_every_record_is_read():
    class Unversioned(Items):
        versions: ClassVar = None

    bench = Bench(Unversioned(), truth=truth(a=9))
    bench.dispatch(record())
    assert [write.version for write in bench.index.sent] == [None]
    assert bench.documents == {"a": {"n": 9}}


def test_versions_of_another_kind_are_refused():
    class Odd(Items):
        versions: ClassVar = "internal"

    with pytest.raises(DeclarationError, match="versions"):
        Bench(Odd())


def test_a_recording_is_taken_at_its_word():
    bench = Bench(Items(), truth=truth(a=9), trusting=True)
    bench.dispatch(sqs_message(record(number=2, created=HOUR_AGO)))
    assert bench.outcomes(sqs_message(record(number=1, created=HOUR_AGO))) == ["STALE"]
    assert bench.documents == {"a": {"n": 2}}
    assert bench.truth.reads == []


def items(bench: Bench) -> list[Any]:
    return [write.action for write in bench.table.sent]


def test_a_creation_whose_object_is_gone_removes_the_item():
    bench = Bench(Uploads(), truth=Truth(objects=[]))
    assert bench.outcomes(s3_record("k")) == ["APPLIED"]
    assert items(bench) == [DeleteItem({"id": "k"})]


def test_a_deletion_whose_object_is_there_is_a_creation():
    bench = Bench(Uploads(), truth=Truth(objects=["k"]))
    bench.dispatch(s3_record("k", "ObjectRemoved:Delete"))
    assert items(bench) == [PutItem({"id": "k"})]


def while_it_vanishes(route: type[BucketRoute], **declared: Any) -> Bench:
    """Return a bench on which the object k exists until the route's `created` runs."""
    world = Truth(objects=["k"])

    def created(self: Any, upload: Any, context: Any) -> Any:
        world.objects.discard("k")
        return route.created(self, upload, context)

    return Bench(type("Slow", (route,), {"created": created, **declared})(), truth=world)


def test_an_object_that_goes_while_its_item_is_written_takes_the_item_along():
    bench = while_it_vanishes(Uploads)
    assert bench.outcomes(s3_record("k")) == ["APPLIED"]
    assert items(bench) == [PutItem({"id": "k"}), DeleteItem({"id": "k"})]


def test_an_object_that_comes_back_while_its_item_is_removed_brings_the_item_back():
    world = Truth(objects=[])

    class Slow(Uploads):
        def deleted(self, upload, context):
            world.objects.add("k")
            return super().deleted(upload, context)

    bench = Bench(Slow(), truth=world)
    bench.dispatch(s3_record("k", "ObjectRemoved:Delete"))
    assert items(bench) == [DeleteItem({"id": "k"}), PutItem({"id": "k"})]


def test_what_is_there_now_may_be_for_no_method():
    class CreatedOnly(BucketRoute):
        bucket: ClassVar = "images-in"
        writes: ClassVar = {"table": "images"}

        def created(self, upload, context):
            return [PutItem({"id": upload.key})]

    bench = Bench(CreatedOnly(), truth=Truth(objects=[]))
    assert bench.outcomes(s3_record("k")) == ["SKIPPED"]


def test_an_object_that_cannot_be_looked_at_now_is_tried_again():
    bench = Bench(Uploads())
    bench.truth.error = ConnectionError("refused")
    assert bench.outcomes(s3_record("k")) == ["RETRY"]
    assert items(bench) == []


def test_documents_of_objects_are_looked_at_when_they_come_late_or_without_a_sequencer():
    young = s3_record("k") | {"eventTime": "2023-11-14T22:14:18.000Z"}
    bench = Bench(Files(), truth=Truth(objects=[]))
    bench.dispatch(young)
    assert bench.truth.reads == []
    for late in (s3_record("k") | {"eventTime": "2023-11-14T21:00:00.000Z"}, s3_record("k", sequencer="")):
        bench = Bench(Files(), truth=Truth(objects=[]))
        bench.dispatch(late)
        assert [type(write.action) for write in bench.index.sent] == [Delete]


class Picky(Truth):
    """A table that rejects reads of one key."""

    def items(self, records):
        if any(record.keys["id"] == "bad" for record in records):
            raise ClientError({"Error": {"Code": "ValidationException"}}, "BatchGetItem")
        return super().items(records)


def test_one_key_that_cannot_be_read_is_rejected_and_the_others_are_read():
    bench = Bench(Items(), truth=Picky(truth(a=1, b=2).table))
    late = [sqs_message(record(name, created=HOUR_AGO), name) for name in ("a", "bad", "b")]
    assert bench.outcomes(*late) == ["APPLIED", "REJECTED", "APPLIED"]
    assert bench.documents == {"a": {"n": 1}, "b": {"n": 2}}


def test_an_object_that_cannot_be_looked_at_again_is_tried_again():
    world = Truth(objects=["k"])

    class Breaking(Uploads):
        def created(self, upload, context):
            world.error = ConnectionError("refused")
            return super().created(upload, context)

    assert Bench(Breaking(), truth=world).outcomes(s3_record("k")) == ["RETRY"]


def test_a_missing_permission_to_read_halts():
    bench = Bench(Items(), truth=truth())
    bench.truth.error = ClientError({"Error": {"Code": "AccessDeniedException"}}, "BatchGetItem")
    with pytest.raises(Halt, match="permission"):
        bench.dispatch(sqs_message(record(created=HOUR_AGO)))


def test_the_deletion_of_one_version_of_an_object_leaves_the_document_of_another():
    removed = s3_record("k", "ObjectRemoved:Delete", sequencer="0055AED6DCD90281E6")
    removed["s3"]["object"]["versionId"] = "v1"
    bench = Bench(Files(), truth=Truth(objects=["k"]), clock=lambda: 0.0)
    bench.dispatch(s3_record("k"), removed)
    assert bench.documents == {"k": {"key": "k"}}


def test_a_message_that_points_to_an_object_is_written_at_the_version_that_it_meets():
    bench = Bench(Files(), truth=Truth(objects=[]), clock=lambda: 0.0)
    bench.dispatch(s3_record("k"))
    assert bench.outcomes({"bucket": "images-in", "key": "k"}) == ["APPLIED"]
    assert bench.documents == {}


@pytest.mark.parametrize(
    "raw",
    [
        {"bucket": "images-in", "key": "k"},
        s3_record("k") | {"eventSource": "minio:s3"},
        s3_record("k", sequencer=""),
    ],
    ids=["pointer", "MinIO", "no sequencer"],
)
def test_an_object_without_an_order_is_read_again_after_it_was_written(raw):
    """All such records have one version. The older of two reads may therefore be written last."""
    bench = while_it_vanishes(Files)
    assert bench.outcomes(raw) == ["APPLIED"]
    assert bench.documents == {}


class Details(Files):
    """A route whose document has all details that a record contains of its object."""

    def created(self, upload, context):
        said = {"size": upload.size, "etag": upload.etag, "version": upload.version_id, "at": upload.created}
        return [Index(said)]


YOUNG = {"eventTime": "2023-11-14T22:14:00.000Z"}
STORED = Revision("v2", "e2", 2, NOW - 5)
THERE = {"size": 2, "etag": "e2", "version": "v2", "at": NOW - 5}


def removed_version(version: str = "v1", **details: Any) -> Any:
    """Return the deletion of one version. S3 sends neither its size nor its ETag."""
    raw = s3_record("k", "ObjectRemoved:Delete") | YOUNG
    raw["s3"]["object"] = {"key": "k", "versionId": version, "sequencer": "0055AED6DCD90281E6", **details}
    return raw


@pytest.mark.parametrize(
    "raw",
    [
        removed_version(),
        removed_version(size=9, eTag="e9"),
        {"bucket": "images-in", "key": "k"},
        s3_record("k", sequencer="", size=9) | YOUNG,
        s3_record("k", size=9) | {"eventTime": "2023-11-14T21:00:00.000Z"},
    ],
    ids=["old version removed", "old version removed, with details", "pointer", "no sequencer", "old"],
)
def test_an_object_that_is_read_again_has_what_is_stored_and_nothing_of_the_event(raw):
    world = Truth(objects=["k"])
    world.contents["k"] = STORED
    bench = Bench(Details(), truth=world)
    assert bench.outcomes(raw) == ["APPLIED"]
    assert bench.documents == {"k": THERE}


def test_an_object_that_is_gone_has_nothing_of_the_event():
    seen = []

    class Last(Details):
        def deleted(self, upload, context):
            seen.append((upload.size, upload.etag, upload.version_id, upload.created))
            return [Delete()]

    Bench(Last(), truth=Truth(objects=[])).dispatch(removed_version(size=9, eTag="e9"))
    assert seen == [(None, "", "", NOW - 20)]  # the time of the event


def test_an_object_that_is_overwritten_while_its_item_is_written_is_written_again():
    world = Truth(objects=["k"])
    world.contents["k"] = Revision("", "e1", 1, NOW)

    class Sizes(Uploads):
        def created(self, upload, context):
            world.contents["k"] = Revision("", "e2", 2, NOW)
            return [PutItem({"id": upload.key, "size": upload.size})]

    bench = Bench(Sizes(), truth=world)
    assert bench.outcomes(s3_record("k")) == ["APPLIED"]
    assert items(bench) == [PutItem({"id": "k", "size": 1}), PutItem({"id": "k", "size": 2})]


class Rows(BucketRoute):
    """A route that inserts a row for each content of an object."""

    bucket: ClassVar = "images-in"
    writes: ClassVar = {"database": "sql"}
    ignore: ClassVar = ("ObjectDeleted",)

    def created(self, upload, context):
        return [InsertRows("INSERT INTO t (size) VALUES (%s)", [(upload.size,)])]


def test_rows_of_a_record_that_names_its_content_are_of_that_content_when_it_is_redriven():
    world = Truth(objects=["k"])
    world.contents["k"] = STORED
    bench = Bench(Rows(), truth=world, always=True)
    raw = s3_record("k", size=1) | YOUNG
    raw["s3"]["object"] |= {"versionId": "v1", "eTag": "e1"}
    assert bench.outcomes(raw) == ["APPLIED"]
    (write,) = bench.rows.sent
    assert write.record.revision == Revision("v1", "e1", 1, write.record.created)


def test_rows_of_a_record_that_names_no_content_are_of_what_is_stored():
    world = Truth(objects=["k"])
    world.contents["k"] = STORED
    bench = Bench(Rows(), truth=world)
    assert bench.outcomes({"bucket": "images-in", "key": "k"}) == ["APPLIED"]
    (write,) = bench.rows.sent
    assert (write.record.revision, write.action.rows) == (STORED, [(2,)])


def test_an_object_in_an_index_without_versions_is_looked_at_again():
    bench = while_it_vanishes(Files, versions=None)
    assert bench.outcomes(s3_record("k")) == ["APPLIED"]
    assert bench.documents == {}


ALIKE = "0055AED6DCD90281E"
"""The digits of a sequencer that are part of the version. The last digit is not."""


def test_a_deletion_and_a_late_creation_of_equal_versions_are_settled_by_reading():
    bench = Bench(Files(), truth=Truth(objects=[]), clock=AT_ONCE)
    bench.dispatch(s3_record("k", "ObjectRemoved:Delete", sequencer=f"{ALIKE}6"))
    assert bench.outcomes(s3_record("k", sequencer=f"{ALIKE}5")) == ["APPLIED"]
    assert bench.documents == {}


def test_a_creation_and_a_late_deletion_of_equal_versions_are_settled_by_reading():
    bench = Bench(Files(), truth=Truth(objects=["k"]), clock=AT_ONCE)
    bench.dispatch(s3_record("k", sequencer=f"{ALIKE}6"))
    assert bench.outcomes(s3_record("k", "ObjectRemoved:Delete", sequencer=f"{ALIKE}5")) == ["APPLIED"]
    assert bench.documents == {"k": {"key": "k"}}


@pytest.mark.parametrize("numbers", ["56", "65"])
def test_in_a_batch_the_whole_sequencer_decides_which_event_is_newest(numbers):
    events = {"5": s3_record("k", sequencer=f"{ALIKE}5"), "6": s3_record("k", "ObjectRemoved:Delete")}
    events["6"]["s3"]["object"]["sequencer"] = f"{ALIKE}6"
    bench = Bench(Files(), truth=Truth(objects=[]), clock=AT_ONCE)
    bench.dispatch(*[events[number] for number in numbers])
    assert [type(write.action) for write in bench.index.sent] == [Delete]
    assert bench.truth.reads == []


def test_an_event_of_an_object_that_is_delivered_again_is_written_again_as_the_object_is_now():
    bench = Bench(Files(), truth=Truth(objects=["k"]), clock=AT_ONCE)
    assert bench.outcomes(s3_record("k")) == bench.outcomes(s3_record("k")) == ["APPLIED"]
    assert bench.documents == {"k": {"key": "k"}}


def test_an_event_of_an_object_in_a_recording_is_written_again_without_a_read():
    bench = Bench(Files(), truth=Truth(objects=[]), trusting=True)
    assert bench.outcomes(s3_record("k")) == bench.outcomes(s3_record("k")) == ["APPLIED"]
    assert bench.truth.reads == []


class Copies(TableRoute):
    """A route from the items of one table to the items of another."""

    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    writes: ClassVar = {"table": "copies"}

    def insert(self, record, context):
        return [PutItem({"id": record.new["id"], "n": record.new["n"]})]

    modify = insert

    def remove(self, record, context):
        return [DeleteItem(record.keys)]


class Unconditional(IndexModel):
    """A table without version checks."""

    def _write(self, write):
        self.sent.append(write)
        return APPLIED


def test_what_came_unordered_and_writes_an_item_is_read():
    bench = Bench(Copies(), truth=truth(), table=Unconditional())
    late = record()
    bench.dispatch(sqs_message(stream_record("REMOVE", old={"id": "a", "n": 1}, sequence="2")), sqs_message(late))
    assert items(bench) == [DeleteItem({"id": "a"})] * 2
    bench.dispatch(late)  # a record from a shard is trusted, because the removal follows in the shard
    assert items(bench)[2:] == [PutItem({"id": "a", "n": 1})]


def test_a_record_in_a_notification_has_no_place_in_an_order():
    (found,) = records({"Records": [sns_record({"Records": [record()]})]})
    assert not found.ordered


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


@pytest.mark.parametrize(("wrap", "outcome"), [(lambda raw: raw, "APPLIED"), (sqs_message, "RETRY")])
def test_an_item_that_changes_all_the_time_holds_up_no_shard(wrap, outcome):
    world = truth(a=0)

    class Hot(Items):
        versions: ClassVar = None

        def document(self, item):
            world.table = truth(a=item["n"] + 1).table
            return {"n": item["n"]}

    assert Bench(Hot(), truth=world).outcomes(wrap(record())) == [outcome]


def test_a_recording_of_a_queue_that_writes_items_is_taken_at_its_word():
    bench = Bench(Copies(), truth=truth(a=9), table=Unconditional(), trusting=True)
    assert bench.outcomes(sqs_message(record())) == ["APPLIED"]
    assert items(bench) == [PutItem({"id": "a", "n": 1})]
    assert bench.truth.reads == []
