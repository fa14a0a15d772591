"""The selection of routes for a record."""

from __future__ import annotations

from typing import ClassVar

import pytest
from builders import s3_record, stream_record

from service.errors import DecodeError, SettingsError
from service.model import TableRecord
from service.model.object_record import from_notification
from service.routing import BucketRoute, Names, Router, TableRoute
from service.routing.router import route_name


class Images(TableRoute):
    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "images"

    def document(self, item):
        return item


class Uploads(BucketRoute):
    bucket: ClassVar = "images-in"
    writes: ClassVar = {"table": "images"}

    def created(self, upload, context):
        return []


def variant(base, name, **declared):
    """Return a route of a derived class, with its own index."""
    return type(name, (base,), {"index": name.lower() if base is Images else "", **declared})()


def record(table="images", event="INSERT", **keys):
    return TableRecord(stream_record(event, table=table, keys=keys or {"id": "a"}))


def upload(key="a.jpg", bucket="images-in"):
    return from_notification(s3_record(key, bucket=bucket))


def takers(router, found):
    """Return the names of the routes that take the record."""
    return [type(bound.route).__name__ for bound, test in router.candidates(found) if test is None or test(found)]


def test_a_record_goes_to_the_route_of_its_table():
    router = Router([Images(), variant(Images, "Others", table="others"), Uploads()])
    assert takers(router, record("images")) == ["Images"]
    assert takers(router, record("others")) == ["Others"]
    assert takers(router, record("strange")) == []
    assert takers(router, upload()) == ["Uploads"]
    assert takers(router, upload(bucket="images")) == []


def test_a_table_and_a_bucket_of_one_name_are_two_things():
    router = Router([Images(), variant(Uploads, "Bucket", bucket="images")])
    assert takers(router, record("images")) == ["Images"]
    assert takers(router, upload(bucket="images")) == ["Bucket"]


def test_several_routes_may_take_one_record_in_the_order_registered():
    router = Router([variant(Images, "Late"), Images(), variant(Images, "Stars", table="*")])
    assert takers(router, record("images")) == ["Late", "Images", "Stars"]


@pytest.mark.parametrize(
    ("pattern", "table", "taken"),
    [
        ("images-*", "images-2026", True),
        ("images-*", "images-", True),
        ("images-*", "images", False),
        ("*", "anything", True),
        ("*-lab", "images-lab", True),
        ("images.*", "images.lab", True),
        ("images.*", "images-lab", False),
    ],
)
def test_a_star_in_a_table_stands_for_any_text(pattern, table, taken):
    router = Router([variant(Images, "Stars", table=pattern)])
    assert takers(router, record(table)) == (["Stars"] if taken else [])


def test_where_picks_items_by_their_keys():
    base = {"key": {"PK": "S", "SK": "S"}}
    users = variant(Images, "Users", where={"PK": "USER#*", "SK": "PROFILE"}, **base)
    orders = variant(Images, "Orders", where={"SK": "ORDER#*"}, **base)
    router = Router([users, orders])
    assert takers(router, record(PK="USER#1", SK="PROFILE")) == ["Users"]
    assert takers(router, record(PK="USER#1", SK="ORDER#2")) == ["Orders"]
    assert takers(router, record(PK="USER#1", SK="ADDRESS")) == []
    assert takers(router, record(event="REMOVE", PK="USER#1", SK="PROFILE")) == ["Users"]


def test_where_matches_a_number_as_it_is_written():
    router = Router([variant(Images, "Odd", key={"id": "N"}, where={"id": "1*"})])
    assert takers(router, record(id=12)) == ["Odd"]
    assert takers(router, record(id=21)) == []


@pytest.mark.parametrize(
    "keys", [{}, {"id": "text"}, {"id": {"B": "eA=="}}, {"id": {"S": 5}}, {"other": {"S": "x"}}]
)
def test_where_takes_no_record_whose_keys_cannot_be_matched(keys):
    raw = stream_record()
    raw["dynamodb"]["Keys"] = keys
    assert takers(Router([variant(Images, "Some", where={"id": "*"})]), TableRecord(raw)) == []


def test_wants_is_asked_once_table_and_where_match():
    asked = []

    def wants(self, found):
        asked.append(found.keys["id"])
        return found.event == "INSERT"

    router = Router([variant(Images, "Picky", where={"id": "a*"}, wants=wants)])
    assert takers(router, record(id="ab")) == ["Picky"]
    assert takers(router, record(event="REMOVE", id="ac")) == []
    assert takers(router, record(id="b")) == []
    assert takers(router, record("others", id="ad")) == []
    assert asked == ["ab", "ac"]


def test_wants_picks_objects_too():
    router = Router([variant(Uploads, "Large", wants=lambda self, found: found.size > 2)])
    assert takers(router, upload()) == ["Large"]
    assert takers(router, from_notification(s3_record("a.jpg", size=1))) == []


@pytest.mark.parametrize(
    ("key", "taken"),
    [
        ("in/a.csv", True),
        ("in/.csv", True),
        ("in/a.CSV", False),
        ("out/a.csv", False),
        ("in/a.csv.gz", False),
        ("x/in/a.csv", False),
    ],
)
def test_prefix_and_suffix_pick_objects(key, taken):
    router = Router([variant(Uploads, "Rows", prefix="in/", suffix=".csv")])
    assert takers(router, upload(key)) == (["Rows"] if taken else [])


def test_prefix_and_suffix_are_text_and_no_patterns():
    router = Router([variant(Uploads, "Stars", prefix="a*", suffix="?.csv")])
    assert takers(router, upload("a*b?.csv")) == ["Stars"]
    assert takers(router, upload("ab1.csv")) == []


def test_tables_and_buckets_go_by_the_names_that_exist():
    router = Router([Images(), Uploads()], Names({"table/images": "images-lab", "bucket/images-in": "acme-in"}))
    assert takers(router, record("images-lab")) == ["Images"]
    assert takers(router, upload(bucket="acme-in")) == ["Uploads"]


def test_what_exists_under_a_logical_name_that_stands_for_something_else_has_no_routes():
    router = Router(
        [Images(), variant(Images, "Stars", table="*"), Uploads()],
        Names({"table/images": "images-lab", "bucket/images-in": "acme-in"}),
    )
    assert takers(router, record("images")) == []
    assert takers(router, upload(bucket="images-in")) == []


def test_two_names_may_be_swapped():
    names = Names({"table/images": "others", "table/others": "images"})
    router = Router([Images(), variant(Images, "Others", table="others")], names)
    assert takers(router, record("images")) == ["Others"]
    assert takers(router, record("others")) == ["Images"]


def test_a_pattern_is_matched_with_the_logical_name():
    router = Router([variant(Images, "Stars", table="im*")], Names({"table/images": "lab-1"}))
    assert takers(router, record("lab-1")) == ["Stars"]


def test_index_and_written_table_are_those_that_exist():
    router = Router([Images(), Uploads()], Names({"index/images": "images-v2", "table/images": "images-lab"}))
    images, uploads = router.bound
    assert (images.index, images.item_table) == ("images-v2", "")
    assert (uploads.index, uploads.item_table) == ("", "images-lab")


def test_two_routes_whose_indices_are_one_where_they_exist_are_an_error_that_names_the_index():
    with pytest.raises(SettingsError, match="'images'"):
        Router([Images(), variant(Images, "Photos")], Names({"index/photos": "images"}))


@pytest.mark.parametrize("key", ["images", "images/", "/images", "colour/images", ""])
def test_a_name_without_a_kind_is_an_error_that_lists_the_kinds(key):
    with pytest.raises(SettingsError, match="table, bucket, index, queue"):
        Names({key: "images-lab"})


def test_two_names_of_one_thing_are_an_error_that_names_both():
    with pytest.raises(SettingsError, match=r"table 'lab' is mapped from both 'images' and 'photos'"):
        Names({"table/images": "lab", "table/photos": "lab"})
    Names({"table/images": "lab", "index/photos": "lab"})


def test_a_table_is_matched_once_and_remembered():
    router = Router([Images(), Uploads()])
    assert router.candidates(record(id="a")) is router.candidates(record(id="b"))
    assert router.candidates(record("strange")) is router.candidates(record("strange"))
    assert router.candidates(upload("a")) is router.candidates(upload("b"))


def test_the_document_id_is_of_the_keys_in_the_order_declared():
    (bound,) = Router([variant(Images, "Main", key={"PK": "S", "SK": "N"})]).bound
    assert bound.document_id(record(SK=2, PK="a")) == bound.document_id(record(PK="a", SK=2)) == "a|~n2"


def test_the_id_of_a_route_with_a_pattern_carries_table_or_bucket():
    table, bucket = Router([variant(Images, "T", table="i*"), variant(Uploads, "B", bucket="i*")]).bound
    assert table.document_id(record("images-1", id="a")) == "images-1|a"
    assert bucket.document_id(upload("a", "in-1")) == "in-1|a"


@pytest.mark.parametrize("keys", [{"PK": "a"}, {"id": "a", "SK": 1}])
def test_a_record_with_another_key_than_declared_is_an_error_that_names_both(keys):
    (bound,) = Router([Images()]).bound
    with pytest.raises(DecodeError, match=rf"Images declares the key id of table images.*{', '.join(keys)}"):
        bound.document_id(record(**keys))


def test_a_route_is_named_by_module_and_class():
    assert route_name(Images) == "test_router:Images"
