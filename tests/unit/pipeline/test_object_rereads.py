"""Re-reads of objects: documents, items and rows are those of the object as it is stored now."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from builders import s3_record
from fakes import NOW, Bench, Files, Truth, Uploads
from item_records import items

from service import BucketRoute, Delete, DeleteItem, Index, InsertRows, PutItem
from service.model import Revision
from service.pipeline.rereads import PROMPT

AT_ONCE = lambda: 1_795_305_600.0  # noqa: E731  # the time of the events of s3_record


@pytest.mark.parametrize(("objects", "left"), [([], {}), (["k"], {"k": {"key": "k"}})])
def test_a_late_document_of_an_object_that_the_index_knew_nothing_of_is_read_again(objects, left):
    bench = Bench(Files(), truth=Truth(objects=objects), clock=lambda: AT_ONCE() + PROMPT + 1)
    assert bench.outcomes(s3_record("k")) == ["APPLIED"]
    assert bench.documents == left
    assert bench.truth.reads[0] == ["k"]


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


def test_an_object_that_cannot_be_looked_at_again_is_tried_again():
    world = Truth(objects=["k"])

    class Breaking(Uploads):
        def created(self, upload, context):
            world.error = ConnectionError("refused")
            return super().created(upload, context)

    assert Bench(Breaking(), truth=world).outcomes(s3_record("k")) == ["RETRY"]


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
