"""The helpers in `service.testing` for tests of users' routes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

import pytest

from service import BucketRoute, Context, Delete, DeleteItem, Index, PutItem, Reject, Skip, TableRoute, setting
from service.errors import DeclarationError
from service.testing import insert, modify, record_of, remove, run, sub_documents, upload

ITEM = {"id": "sunset", "title": "Sunset"}


class Images(TableRoute):
    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "images"

    def document(self, item):
        return None if item.get("hidden") else {name: value for name, value in item.items() if name != "id"}


@dataclass(frozen=True)
class Uploads(BucketRoute):
    bucket: ClassVar = "images-in"
    prefix: ClassVar = "in/"
    writes: ClassVar = {"table": "images"}
    largest: int = setting(100, "bytes at most")

    def created(self, upload, context):
        if upload.size is not None and upload.size > self.largest:
            raise Reject("too large")
        yield PutItem({"id": upload.key, "body": context.s3[upload.bucket, upload.key]})

    def deleted(self, upload, context):
        return [DeleteItem({"id": upload.key})]


def test_an_insert_and_a_modify_ask_for_the_document():
    assert run(Images(), insert(ITEM)) == [Index({"title": "Sunset"})]
    assert run(Images(), modify(old=ITEM, new={**ITEM, "title": "Dusk"})) == [Index({"title": "Dusk"})]


def test_an_item_that_should_not_be_searchable_is_deleted():
    assert run(Images(), modify(old=ITEM, new={**ITEM, "hidden": True})) == [Delete()]


def test_a_change_that_is_skipped_as_unchanged_asks_for_nothing():
    class Quiet(Images):
        skip_unchanged: ClassVar = True

        def document(self, item):
            return {"title": item["title"]}

    assert run(Quiet(), modify(old=ITEM, new={**ITEM, "seen": 1})) == []
    assert run(Quiet(), modify(old=ITEM, new={**ITEM, "title": "Dusk"})) == [Index({"title": "Dusk"})]
    assert run(Quiet(), insert(ITEM)) == [Index({"title": "Sunset"})]


def test_a_remove_asks_for_a_deletion():
    assert run(Images(), remove(ITEM)) == [Delete()]


def test_an_upload_asks_for_what_the_route_makes_of_it():
    context = Context(s3={("images-in", "in/a b+c.jpg"): "content"})
    assert run(Uploads(), upload("in/a b+c.jpg", size=3), context) == [
        PutItem({"id": "in/a b+c.jpg", "body": "content"})
    ]


@pytest.mark.parametrize("event", ["ObjectDeleted", "ObjectRemoved:Delete", "Object Deleted"])
def test_an_upload_may_also_be_a_deletion(event):
    assert run(Uploads(), upload("in/a.jpg", event=event)) == [DeleteItem({"id": "in/a.jpg"})]


def test_the_settings_of_the_route_are_those_of_the_instance():
    context = Context(s3={("images-in", "in/a"): "content"})
    assert run(Uploads(largest=5), upload("in/a", size=5), context)
    with pytest.raises(Reject, match="too large"):
        run(Uploads(largest=5), upload("in/a", size=6), context)


def test_values_are_as_they_come_from_a_stream():
    values = {
        "float": 1.5,
        "whole": 2.0,
        "exact": Decimal("0.12345678901234567890"),
        "set": {3, 1, 2},
        "binary": b"\x00\xff",
        "nested": {"list": [1, {"deep": None}], "true": True},
        "tuple": (1, 2),
    }
    (action,) = run(Images(), insert({"id": "k", **values}))
    assert action == Index({**values, "set": [1, 2, 3], "tuple": [1, 2]})
    assert type(action.document["whole"]) is int
    assert type(action.document["float"]) is float


def test_a_set_of_floats_comes_back_as_a_sorted_list_of_floats():
    assert run(Images(), insert({"id": "k", "set": {2.5, 1.5}})) == [Index({"set": [1.5, 2.5]})]


def test_the_key_is_read_from_the_item_and_both_images_are_there():
    class Compare(Images):
        def modify(self, record, context):
            return [Index({"keys": record.keys, "old": record.old, "new": record.new, "table": record.table})]

    assert run(Compare(), modify(old=ITEM, new={"id": "sunset"})) == [
        Index({"keys": {"id": "sunset"}, "old": ITEM, "new": {"id": "sunset"}, "table": "images"})
    ]


def test_a_change_that_the_route_does_not_match_asks_for_nothing():
    class Users(Images):
        where: ClassVar = {"id": "USER#*"}

    class Picky(Images):
        def wants(self, record):
            return False

    assert run(Users(), insert(ITEM)) == run(Picky(), insert(ITEM)) == []
    assert run(Users(), insert({"id": "USER#1"})) == [Index({})]
    assert run(Uploads(), upload("out/a.jpg")) == []


def test_a_change_that_the_route_has_no_method_for_is_the_dead_letter_that_it_would_be():
    with pytest.raises(Reject, match="Unimplemented: eventName=ObjectTagging"):
        run(Uploads(), upload("in/a.jpg", event="ObjectTagging:Put"))

    class Deaf(Uploads):
        ignore: ClassVar = ("ObjectTagging",)

    assert run(Deaf(), upload("in/a.jpg", event="ObjectTagging:Put")) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda: run(Images(), upload("a")), r"is a TableRoute: use insert"),
        (lambda: run(Uploads(), insert(ITEM)), r"is a BucketRoute: use upload"),
        (lambda: upload("a", "Created"), r"'Created' is not a bucket event\. Valid events: "),
        (lambda: upload("a", sise=3), r"does not support sise"),
        (lambda: run(Images(), insert({"title": "T"})), r"Images\.key is .*the item has no id"),
        (lambda: run(Images(), insert({"id": 7})), r"Images\.key is .*the item's id is"),
        (lambda: run(Images(), modify({"id": "a"}, {"id": "b"})), r"the key of an item cannot change"),
    ],
)
def test_a_change_that_cannot_come_is_an_error_of_the_test(change, reason):
    with pytest.raises(ValueError, match=reason):
        change()


def test_actions_are_checked_as_in_production():
    class Astray(Images):
        def remove(self, record, context):
            return [PutItem({"id": "x"})]

    class Text(Images):
        def document(self, item):
            return "text"

    with pytest.raises(Reject, match="declares no table in writes"):
        run(Astray(), remove(ITEM))
    with pytest.raises(Reject, match="the document has type str"):
        run(Text(), insert(ITEM))


def test_a_route_with_a_pattern_gets_a_record_of_a_table_or_bucket_that_fits():
    class Tables(Images):
        table: ClassVar = "images-*"

    class Buckets(Uploads):
        bucket: ClassVar = "*-in"

    assert run(Tables(), insert(ITEM)) == [Index({"title": "Sunset"})]
    assert run(Buckets(), upload("in/a", event="ObjectDeleted")) == [DeleteItem({"id": "in/a"})]


def test_no_name_with_a_star_is_handed_to_a_route():
    class Tables(Images):
        table: ClassVar = "images-*"

    class Buckets(Uploads):
        bucket: ClassVar = "*-in"

    assert record_of(Tables(), insert(ITEM)).table == "images-x"
    assert record_of(Buckets(), upload("in/a")).bucket == "x-in"


def test_an_image_without_attributes_is_not_one_that_is_left_out():
    record = record_of(Images(), modify(old={"id": "sunset"}, new=ITEM))
    assert (record.old, record.new) == ({"id": "sunset"}, ITEM)
    assert record_of(Images(), insert(ITEM)).old is None


def test_what_the_route_raises_is_raised():
    class Broken(Images):
        def document(self, item):
            raise Skip("not now") if "title" in item else KeyError("title")

    with pytest.raises(Skip, match="not now"):
        run(Broken(), insert(ITEM))
    with pytest.raises(KeyError, match="title"):
        run(Broken(), insert({"id": "k"}))


def test_a_generator_that_fails_half_way_asks_for_nothing():
    class Half(Uploads):
        def created(self, upload, context):
            yield PutItem({"id": "a"})
            raise Reject("half-way")

    with pytest.raises(Reject, match="half-way"):
        run(Half(), upload("in/a"))


def test_a_route_that_is_wrongly_declared_is_an_error():
    class Wrong(Images):
        key: ClassVar = {}

    with pytest.raises(DeclarationError, match=r"Wrong\.key"):
        run(Wrong(), insert(ITEM))


def test_details_of_an_upload_are_those_of_the_record():
    record = record_of(Uploads(), upload("k", size=3, eTag="e", sequencer="0055", versionId="v"))
    assert (record.size, record.etag, record.sequencer, record.version_id) == (3, "e", "55", "v")


def test_a_document_with_a_field_that_a_pipeline_makes_is_an_error():
    class Piped(Images):
        computed: ClassVar = ("embedding",)

    assert run(Piped(), insert(ITEM)) == [Index({"title": "Sunset"})]
    assert run(Piped(), remove(ITEM)) == [Delete()]
    with pytest.raises(DeclarationError, match=r"Piped returns the field embedding in its document"):
        run(Piped(), insert({**ITEM, "embedding": [1]}))


class Chunks(TableRoute):
    table: ClassVar = "articles"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "chunks"

    where: ClassVar = {"id": "a*"}

    def documents_of(self, item):
        return {str(number): {"text": text} for number, text in enumerate(item["chunks"])}


def test_the_documents_of_an_item_are_named_by_their_sub_ids_and_the_deleted_ones_are_none():
    one, two = {"id": "a", "chunks": ["x", "y"]}, {"id": "a", "chunks": ["z"]}
    assert sub_documents(Chunks(), insert(one)) == {"0": {"text": "x"}, "1": {"text": "y"}}
    assert sub_documents(Chunks(), modify(old=one, new=two)) == {"0": {"text": "z"}, "1": None}
    assert sub_documents(Chunks(), remove(two)) == {"0": None}
    assert sub_documents(Chunks(), insert({**one, "id": "b"})) == {}


def test_a_document_that_is_skipped_as_unchanged_is_not_among_them():
    class Quiet(Chunks):
        skip_unchanged: ClassVar = True

    one, two = {"id": "a", "chunks": ["x", "y", "z"]}, {"id": "a", "chunks": ["x", "Y"]}
    assert sub_documents(Quiet(), modify(old=one, new=two)) == {"1": {"text": "Y"}, "2": None}
    assert sub_documents(Quiet(), insert(one)).keys() == {"0", "1", "2"}


def test_each_helper_names_the_other_for_a_route_of_the_other_kind():
    item = {"id": "a", "chunks": ["x"]}
    with pytest.raises(ValueError, match=r"Chunks has documents_of\(\): use sub_documents\(\)"):
        run(Chunks(), insert(item))
    with pytest.raises(ValueError, match=r"Images has no documents_of\(\): use run\(\)"):
        sub_documents(Images(), insert(ITEM))


def test_an_answer_of_documents_of_that_production_rejects_is_rejected():
    class Unnamed(Chunks):
        def documents_of(self, item):
            return {"": {}}

    with pytest.raises(Reject, match="empty or no text"):
        sub_documents(Unnamed(), insert({"id": "a"}))
