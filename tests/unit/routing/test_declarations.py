"""Errors of wrong route classes at start-up: each names the class and the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import pytest

from service.errors import DeclarationError
from service.routing import Action, BucketRoute, Router, TableRoute, setting


def table_route(**declared):
    """Return a table route that is valid except for the given declarations. None removes a declaration."""
    members = {"table": "images", "key": {"id": "S"}, "index": "images", "document": lambda self, item: item}
    return route(TableRoute, members | declared)


def splitting_route(**declared):
    return table_route(**{"document": None, "documents_of": lambda self, item: {}, **declared})


def bucket_route(**declared):
    members = {"bucket": "images-in", "index": "images", "created": lambda self, upload, context: []}
    return route(BucketRoute, members | declared)


def route(base, members):
    return type("Mine", (base,), {name: value for name, value in members.items() if value is not None})()


def test_routes_that_are_right_are_taken():
    Router([table_route(), bucket_route(index=None, writes={"table": "images"})])
    Router([splitting_route(), splitting_route(table="others", index="others", fetch=True)])
    Router([splitting_route(skip_unchanged=True)])
    Router([table_route(skip_unchanged=True, remove=lambda *_: [], ignore=[])])
    Router([table_route(key={"PK": "S", "SK": "N"}, where={"PK": "USER#*"}, mapping={"properties": {}})])


@pytest.mark.parametrize(
    ("mine", "message"),
    [
        (table_route(table=None), r'does not declare a table\. Add `table: ClassVar = "the-table"`'),
        (table_route(table=5), r"does not declare a table"),
        (table_route(key=None), r"\.key must map the table's key attributes to their types"),
        (table_route(key={}), r"\.key must map"),
        (table_route(key=["id"]), r"\.key must map"),
        (table_route(key={"id": "STRING"}), r"\.key must map .*S, N or B"),
        (table_route(key={"a": "S", "b": "S", "c": "S"}), r"\.key must map"),
        (table_route(where={"kind": "image"}), r"\.where tests kind, .* Use wants"),
        (table_route(index=None), r"has no target\. Declare index, or writes"),
        (table_route(index=5), r"\.index must be a valid index name"),
        (table_route(mapping=["title"]), r"\.mapping must be a dict with the mappings of the index"),
        (table_route(writes={"tables": "images"}), r"\.writes must be \{'table': 'the-table'\}"),
        (table_route(writes={"table": "images-*"}), r"\.writes must be"),
        (
            table_route(index=None, writes={"table": "x"}, document=None),
            r"has no method that returns actions\. Implement document\(\)",
        ),
        (table_route(ignore=["INSERT"], insert=lambda *_: []), r"ignores INSERT but has a method for it"),
        (table_route(ignore="REMOVE"), r"ignore must be a collection of events, such as \('REMOVE',\)"),
        (
            table_route(ignore=["DELETE"]),
            r"ignore contains the unknown event DELETE\. Valid events: INSERT, MODIFY, REMOVE",
        ),
        (bucket_route(ignore=["REMOVE"]), r"ignore contains the unknown event REMOVE"),
        (table_route(document=None), r"has no method that returns actions\. Implement document\(\)"),
        (table_route(index=None, writes={"table": "x"}), r"has document\(\) but no index"),
        (table_route(index="Images"), r"lower case"),
        (table_route(index="a b"), r"without spaces"),
        (table_route(index="_all"), r"not beginning with"),
        (table_route(most=setting(5, "how many")), r"most .*Add @dataclass\(frozen=True\) to it"),
        (splitting_route(document=lambda *_: {}), r"has document\(\) or documents\(\), too\. Keep one"),
        (splitting_route(documents=lambda *_: []), r"has document\(\) or documents\(\), too\. Keep one"),
        (splitting_route(remove=lambda *_: []), r"has its own remove\(\)\. Remove it"),
        (splitting_route(modify=lambda *_: []), r"has its own modify\(\)\. Remove it"),
        (splitting_route(wants=lambda *_: True), r"has wants\(\), so that changes would be missed"),
        (splitting_route(ignore=["REMOVE"]), r"ignores REMOVE, so that documents would be left"),
        (splitting_route(reads=("users",)), r"made of several items\. Use neither reads nor CollectionRoute"),
        (
            splitting_route(mapping={"properties": {"streamdex_parent": {}}}),
            r"declares the field streamdex_parent",
        ),
        (splitting_route(index=None, writes={"table": "x"}), r"no index"),
        (
            table_route(skip_unchanged=True, document=None, documents=lambda *_: []),
            r"skip_unchanged, but its documents\(\)",
        ),
        (
            table_route(skip_unchanged=True, insert=lambda *_: []),
            r"has its own insert\(\)\. Implement document\(\)",
        ),
        (
            table_route(skip_unchanged=True, modify=lambda *_: []),
            r"has its own modify\(\)\. Implement document\(\)",
        ),
        (table_route(skip_unchanged=True, reads=("users",)), r"its documents are made of several items"),
        (table_route(skip_unchanged=True, fetch=True), r"every record is re-read, .*Use neither fetch nor"),
        (table_route(skip_unchanged=True, ignore=["INSERT"]), r"ignores INSERT, .*or remove skip_unchanged"),
        (table_route(skip_unchanged=True, ignore=["MODIFY"]), r"ignores MODIFY, .*or remove skip_unchanged"),
        (bucket_route(skip_unchanged=True), r"an object has no images to compare\. Declare it in a TableRoute"),
        (bucket_route(bucket=None), r'does not declare a bucket\. Add `bucket: ClassVar = "the-bucket"`'),
        (bucket_route(bucket=5), r"does not declare a bucket"),
        (bucket_route(index=None), r"has no target"),
        (bucket_route(created=None), r"has no method that returns actions\. Implement created\(\) or deleted\(\)"),
        (bucket_route(ignore=["ObjectCreated"]), r"ignores ObjectCreated but has a method"),
    ],
)
def test_a_route_that_cannot_work_is_an_error_that_names_it(mine, message):
    with pytest.raises(DeclarationError, match=rf"Mine.*{message}") as caught:
        Router([mine])
    assert caught.value.exit_code == 2


def test_routes_with_sub_documents_and_without_share_no_index():
    with pytest.raises(
        DeclarationError, match=r"has documents_of\(\) and .* has not, and both write index 'images'"
    ):
        Router([splitting_route(where={"id": "a*"}), table_route(where={"id": "b*"})])
    Router([splitting_route(where={"id": "a*"}), splitting_route(where={"id": "b*"})])


def test_sub_documents_need_versions():
    class Mine(type(splitting_route())):
        versions = None

    with pytest.raises(DeclarationError, match="its index has no versions"):
        Router([Mine()])


def test_an_index_without_versions_leaves_no_images_to_compare():
    class Mine(type(table_route())):
        skip_unchanged = True
        versions = None

    with pytest.raises(DeclarationError, match=r"every record is re-read, .* nor versions = None"):
        Router([Mine()])


def test_an_event_without_a_method_may_be_ignored():
    class StoredDeadLetter(TableRoute):
        table: ClassVar = "images"
        key: ClassVar = {"id": "S"}
        writes: ClassVar = {"table": "others"}
        ignore: ClassVar = ("REMOVE", "MODIFY")

        def insert(self, record, context) -> Iterable[Action]:
            return []

    Router([StoredDeadLetter()])


def test_what_is_no_route_is_an_error():
    with pytest.raises(DeclarationError, match=r"is not a route\. Derive it from TableRoute or BucketRoute"):
        Router([object()])


class One(TableRoute):
    table: ClassVar = "main"
    key: ClassVar = {"PK": "S", "SK": "S"}
    index: ClassVar = "things"

    def document(self, item):
        return item


class OneBucket(BucketRoute):
    bucket: ClassVar = "uploads"
    index: ClassVar = "things"

    def created(self, upload, context):
        return []


def beside(base, **declared):
    return type("Two", (base,), declared)()


def clash(one, other):
    """Return True if the two routes are rejected. Assert that both are named, and the same in either order."""
    refused = []
    for routes in ([one, other], [other, one]):
        try:
            Router(routes)
        except DeclarationError as error:
            refused.append(str(error))
    assert len(refused) in (0, 2)
    for message in refused:
        assert f"{__name__}:{type(one).__qualname__}" in message
        assert f":{type(other).__qualname__} " in message
        assert "'things'" in message
    return bool(refused)


def where(**patterns):
    return type("One", (One,), {"where": patterns, "__module__": __name__})()


@pytest.mark.parametrize(
    ("mine", "other", "refused"),
    [
        ({}, {}, True),
        ({"PK": "USER#*"}, {}, True),
        ({"PK": "USER#*"}, {"PK": "ORDER#*"}, False),
        ({"PK": "USER#*"}, {"PK": "USER#1*"}, True),
        ({"PK": "*#X"}, {"PK": "USER#*"}, True),
        ({"PK": "USER#*"}, {"SK": "PROFILE"}, True),
        ({"PK": "USER#*", "SK": "PROFILE"}, {"PK": "USER#*", "SK": "ADDRESS"}, False),
        ({"PK": "USER#*", "SK": "PROFILE"}, {"PK": "USER#*"}, True),
    ],
)
def test_routes_of_one_table_and_index_must_be_told_apart_by_where(mine, other, refused):
    assert clash(where(**mine), beside(One, where=other)) is refused


@pytest.mark.parametrize(
    ("mine", "other", "refused"),
    [
        ("main", "other", True),
        ("main", "ma*", True),
        ("main", "x*", True),
        ("a*", "b*", False),
        ("a*", "*b", True),
        ("a*", "a*", True),
        ("*", "x*", True),
    ],
)
def test_routes_of_two_tables_and_one_index_clash_unless_their_ids_carry_different_tables(mine, other, refused):
    one = type("One", (One,), {"table": mine, "__module__": __name__})()
    assert clash(one, beside(One, table=other)) is refused


@pytest.mark.parametrize(
    ("mine", "other", "refused"),
    [
        ({}, {}, True),
        ({"prefix": "a/"}, {"prefix": "b/"}, False),
        ({"prefix": "a/"}, {"prefix": "a/b/"}, True),
        ({"prefix": "a/"}, {}, True),
        ({"suffix": ".jpg"}, {"suffix": ".png"}, False),
        ({"suffix": ".gz"}, {"suffix": ".csv.gz"}, True),
        ({"prefix": "a/"}, {"suffix": ".jpg"}, True),
        ({"prefix": "a/", "suffix": ".jpg"}, {"prefix": "a/", "suffix": ".png"}, False),
        ({}, {"bucket": "other"}, True),
        ({"bucket": "a-*"}, {"bucket": "b-*"}, False),
        ({"bucket": "a-*"}, {"bucket": "a-b-*"}, True),
        ({"bucket": "a-*", "prefix": "x"}, {"bucket": "a-*", "prefix": "y"}, False),
    ],
)
def test_routes_of_buckets_and_one_index_must_be_told_apart_by_prefix_or_suffix(mine, other, refused):
    one = type("OneBucket", (OneBucket,), {**mine, "__module__": __name__})()
    assert clash(one, beside(OneBucket, **other)) is refused


def test_a_table_and_a_bucket_cannot_share_an_index():
    assert clash(One(), beside(OneBucket))


def test_different_indices_never_clash():
    assert not clash(One(), beside(One, index="others"))
    assert not clash(OneBucket(), beside(OneBucket, index="others"))


def test_routes_that_only_write_tables_never_clash():
    assert not clash(beside(OneBucket, index="", writes={"table": "a"}), OneBucket())


def test_one_class_cannot_be_registered_twice():
    with pytest.raises(DeclarationError, match=r"test_declarations:One is registered twice"):
        Router([One(), One()])


@dataclass(frozen=True)
class Rows(BucketRoute):
    bucket: ClassVar = "raw-data"
    writes: ClassVar = {"table": "rows"}
    delimiter: str = setting(",", "between the columns")

    def created(self, upload, context):
        return []


def test_one_class_may_be_registered_with_other_settings_but_not_with_the_same():
    Router([Rows(), Rows(delimiter="!")])
    with pytest.raises(DeclarationError, match=r"test_declarations:Rows is registered twice"):
        Router([Rows(), Rows(delimiter="!"), Rows()])


def test_a_route_may_ignore_an_event_that_it_would_inherit_a_method_for():
    router = Router([table_route(ignore=["REMOVE", "INSERT"])])
    assert router.bound[0].implemented == {"MODIFY"}
    assert router.bound[0].batched == {"MODIFY"}
