"""`service.testing.run` for routes that read tables, and for documents of several items."""

from __future__ import annotations

import random
from itertools import count
from typing import Any, ClassVar

import pytest
from shop_scene import Customers, Orders

from service import BucketRoute, CollectionRoute, Context, Delete, Index, PutItem, Reindex, Reject, TableRoute
from service.errors import DeclarationError, DecodeError, Halt
from service.settings import Settings
from service.tables_in_memory import TablesInMemory
from service.testing import insert, modify, remove, run, upload

CUSTOMERS = [{"id": "a", "name": "Ada"}, {"id": "b", "name": "Bob"}]
HEAD = {"PK": "1", "SK": "HEAD", "customer": "a"}
LINES = [{"PK": "1", "SK": f"LINE{n}", "n": n} for n in (3, 1, 2)]
OTHER = {"PK": "2", "SK": "LINE1", "n": 9}
SHOP: dict[str, Any] = {"customers": CUSTOMERS, "orders": [*LINES, HEAD, OTHER]}


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (insert({"PK": "1", "SK": "LINE4", "n": 4}), [1, 2, 3, 4]),
        (modify(LINES[1], {**LINES[1], "n": 7}), [7, 2, 3]),
        (remove(LINES[0]), [1, 2]),
        (insert(HEAD), [1, 2, 3]),
    ],
)
def test_a_collection_is_made_of_its_items_and_the_change(change, lines):
    assert run(Orders(), change, tables=SHOP) == [Index({"customer": "Ada", "lines": lines})]


def test_a_collection_without_items_is_deleted():
    assert run(Orders(), remove(OTHER), tables=SHOP) == [Delete()]
    assert run(Orders(), insert(LINES[0])) == [Delete()]  # without a head, and without tables


def test_what_does_not_exist_is_none():
    assert run(Orders(), insert(HEAD), tables={"customers": CUSTOMERS[1:]}) == [
        Index({"customer": None, "lines": []})
    ]


def test_the_keys_of_reindex_are_a_list():
    orders = [HEAD, {**HEAD, "PK": "2", "customer": "b"}]
    assert run(Customers(), modify(CUSTOMERS[0], CUSTOMERS[0]), tables={"orders": orders}) == [
        Reindex(Orders, [{"PK": "1"}])
    ]
    assert run(Customers(), remove(CUSTOMERS[0])) == [Reindex(Orders, [])]


def test_values_of_tables_are_those_of_records():
    (action,) = run(Seen(), insert({"id": "a"}), tables={"customers": [{"id": "a", "set": {3, 1}, "n": 2.0}]})
    assert action == Index({"id": "a", "set": [1, 3], "n": 2})


class Seen(TableRoute):
    """A document that is another item."""

    table: ClassVar = "copies"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "copies"
    reads: ClassVar = ("customers",)

    def documents(self, items, context):
        return context.tables["customers"].get([{"id": item["id"]} for item in items])


def test_a_route_that_reads_its_own_table_sees_the_change():
    class Own(Seen):
        reads: ClassVar = ("copies",)

        def documents(self, items, context):
            return [context.tables["copies"].get_one({"id": item["id"]}) for item in items]

    assert run(Own(), modify({"id": "a", "n": 1}, {"id": "a", "n": 2}), tables={"copies": [{"id": "a"}]}) == [
        Index({"id": "a", "n": 2})
    ]


@pytest.mark.parametrize(
    ("read", "named"),
    [
        (lambda tables: tables["orders"].get([{"PK": "1", "SK": "HEAD"}]), "'orders'"),
        (lambda tables: list(tables["customers"].query({"name": "Ada"}, "by-name")), "'customers/by-name'"),
    ],
)
def test_what_is_not_declared_cannot_be_read(read, named):
    class Astray(Seen):
        def documents(self, items, context):
            return read(context.tables)

    with pytest.raises(Halt, match=f"Astray reads {named} but does not declare it"):
        run(Astray(), insert({"id": "a"}), tables=SHOP)


def test_tables_can_also_be_read_with_a_client_of_the_test():
    client = TablesInMemory({"customers": CUSTOMERS})
    assert run(Seen(), insert({"id": "b"}), Context(dynamodb=client)) == [Index(CUSTOMERS[1])]
    assert run(Seen(), insert({"id": "b"}), Context(dynamodb=client), tables={}) == [Delete()]


def test_a_bucket_route_can_read_and_reindex():
    class Asking(BucketRoute):
        bucket: ClassVar = "in"
        reads: ClassVar = ("customers",)
        reindexes: ClassVar = (Orders,)

        def created(self, upload, context):
            found = context.tables["customers"].get_one({"id": upload.key})
            yield Reindex(Orders, iter([{"PK": found["name"]}]))

    assert run(Asking(), upload("a"), tables=SHOP) == [Reindex(Orders, [{"PK": "Ada"}])]


class Unsteady(CollectionRoute):
    table: ClassVar = "orders"
    key: ClassVar = {"PK": "S", "SK": "S"}
    index: ClassVar = "orders"

    def document(self, items):
        return {"at": random.random(), "lines": len(items)}


def test_a_document_that_depends_on_more_than_its_items_is_an_error():
    with pytest.raises(
        DeclarationError, match=r"Unsteady made two documents of the same items that differ in at\."
    ):
        run(Unsteady(), insert(HEAD))


def test_a_document_that_exists_only_once_is_an_error():
    calls = count()

    class Sometimes(Unsteady):
        def document(self, items):
            return {"n": 1} if next(calls) % 2 else None

    with pytest.raises(DeclarationError, match=r"that differ in n\."):
        run(Sometimes(), insert(HEAD))


def test_true_and_1_are_different_documents():
    calls = count()

    class Typed(Unsteady):
        def document(self, items):
            return {"same": None, "flag": True if next(calls) % 2 else 1}

    with pytest.raises(DeclarationError, match=r"that differ in flag\."):
        run(Typed(), insert(HEAD))


def test_a_route_gets_no_old_image_of_a_document_of_several_items_but_its_reindexes_do():
    class Members(Seen):
        reindexes: ClassVar = (Orders,)

        def modify(self, record, context):
            orders = [image["order"] for image in (record.old, record.new) if image]
            return [Index({"old": record.old}), Reindex(Orders, [{"PK": order} for order in orders])]

        insert = modify

    change = modify({"id": "a", "order": "1"}, {"id": "a", "order": "2"})
    assert run(Members(), change) == [
        Index({"old": None}),
        Reindex(Orders, [{"PK": "2"}]),
        Reindex(Orders, [{"PK": "1"}, {"PK": "2"}]),
    ]
    assert run(Members(), insert({"id": "a", "order": "2"})) == [
        Index({"old": None}),
        Reindex(Orders, [{"PK": "2"}]),
    ]


class Naming(Customers):
    """A route that names what the test gives to it."""

    wanted: Any = None

    def insert(self, record, context):
        return [self.wanted]


@pytest.mark.parametrize(
    ("action", "error", "reason"),
    [
        (Reindex(Orders, [{"SK": "HEAD"}]), DecodeError, "declares the key PK, SK"),
        (Reindex(Orders, [{"PK": object()}]), TypeError, "Unsupported type"),
        (Reindex(Naming, []), Reject, "which it does not list in reindexes"),
    ],
)
def test_a_reindex_that_would_be_a_dead_letter_is_an_error(action, error, reason, monkeypatch):
    monkeypatch.setattr(Naming, "wanted", action)
    with pytest.raises(error, match=reason):
        run(Naming(), insert({"id": "a"}))


class Plain(TableRoute):
    table: ClassVar = "plain"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "plain"
    value: Any = None

    def document(self, item):
        return {"value": self.value}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "value is not a finite number"),
        ({1: "x"}, "must be str"),
        (print, "Type is not JSON serializable"),
        ("\ud800", "surrogates not allowed"),
        ("x" * 200, "more than the maximum of 100"),
    ],
)
def test_a_document_that_cannot_be_sent_fails_as_in_production(value, reason, monkeypatch):
    monkeypatch.setattr(Plain, "value", value)
    with pytest.raises(Reject, match=rf"^index plain: the document .*{reason}"):
        run(Plain(), insert({"id": "a"}), Context(Settings(document_bytes=100)))


@pytest.mark.parametrize("value", [float("nan"), print])
def test_an_item_that_cannot_be_stored_fails_as_in_production(value):
    class Writing(Plain):
        index: ClassVar = ""
        writes: ClassVar = {"table": "others"}

        def insert(self, record, context):
            return [PutItem({"id": "a", "value": value})]

        document = TableRoute.document

    with pytest.raises(Reject, match="the item cannot be stored"):
        run(Writing(), insert({"id": "a"}))
