"""The reads of routes: `context.tables`."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from fakes import raising

from service import Context, Retry, at_least, at_most, begins_with, between
from service import table_reads as module
from service.deadline import after, until
from service.errors import Halt
from service.table_reads import Readable, Tables, query_of
from service.tables_in_memory import TablesInMemory

SHOP = [{"PK": "ORDER#7", "SK": f"LINE#{n}", "n": n} for n in range(5)] + [
    {"PK": "ORDER#8", "SK": "LINE#0", "n": 9}
]


def tables(client: TablesInMemory, **more: Any) -> Tables:
    readable = {
        "shop": Readable("prod-shop", True, frozenset({"by-n"})),
        "only": Readable("only", False, frozenset("i")),
    }
    return Tables(lambda: client, "shop:Orders", readable, **more)


@pytest.fixture
def client():
    return TablesInMemory({"prod-shop": SHOP}, page=2)


def test_items_come_in_the_order_of_their_keys_and_none_for_a_missing_one(client):
    keys = [{"PK": "ORDER#8", "SK": "LINE#0"}, {"PK": "x", "SK": "y"}, {"PK": "ORDER#7", "SK": "LINE#1"}]
    assert tables(client)["shop"].get(keys) == [SHOP[5], None, SHOP[1]]


def test_an_item_is_read_once_for_the_whole_batch(client):
    shop = tables(client)["shop"]
    key = {"PK": "ORDER#7", "SK": "LINE#1"}
    assert shop.get([key, key, {"PK": "x", "SK": "y"}]) == [SHOP[1], SHOP[1], None]
    assert shop.get_one(key) == SHOP[1]
    assert shop.get_one({"PK": "x", "SK": "y"}) is None
    assert client.calls == [("get", "prod-shop")]


def test_a_number_key_is_found_however_it_is_written():
    client = TablesInMemory({"prod-shop": [{"id": 1}]})
    assert tables(client)["shop"].get([{"id": Decimal("1.0")}, {"id": 1}]) == [{"id": 1}, {"id": 1}]


def test_150_items_are_read_with_two_requests():
    client = TablesInMemory({"prod-shop": [{"id": n} for n in range(150)]})
    assert len(tables(client)["shop"].get({"id": n} for n in range(150))) == 150
    assert client.calls == [("get", "prod-shop")] * 2


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        (begins_with("LINE#1"), [1]),
        (between("LINE#1", "LINE#3"), [1, 2, 3]),
        (at_least("LINE#3"), [3, 4]),
        (at_most("LINE#1"), [0, 1]),
        ("LINE#2", [2]),
    ],
)
def test_a_query_takes_a_sort_key_or_a_condition(client, sort, found):
    assert [item["n"] for item in tables(client)["shop"].query({"PK": "ORDER#7", "SK": sort})] == found


def test_a_query_reads_page_by_page_and_keeps_what_it_read(client):
    shop = tables(client)["shop"]
    lines = shop.query({"PK": "ORDER#7"}, descending=True)
    assert next(lines)["n"] == 4
    assert client.calls == [("query", "prod-shop")]
    assert [line["n"] for line in lines] == [3, 2, 1, 0]
    assert len(list(shop.query({"PK": "ORDER#7"}, descending=True))) == 5
    assert client.calls == [("query", "prod-shop")] * 3


def test_a_query_of_many_items_is_not_kept(client, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 3)
    shop = tables(client)["shop"]
    for _ in range(2):
        assert len(list(shop.query({"PK": "ORDER#7"}))) == 5
    assert client.calls == [("query", "prod-shop")] * 6


@pytest.mark.parametrize(
    ("read", "missing"),
    [
        (lambda found: found["other"], "'other'"),
        (lambda found: found["only"].get([{"id": 1}]), "'only'"),
        (lambda found: list(found["only"].query({"id": 1})), "'only'"),
        (lambda found: list(found["shop"].query({"id": 1}, "unknown")), "'shop/unknown'"),
    ],
)
def test_what_the_route_does_not_declare_is_refused(client, read, missing):
    with pytest.raises(Halt, match=f"^shop:Orders reads {missing} but does not declare it: add it to the route"):
        read(tables(client))


def test_a_context_without_a_route_has_no_tables():
    with pytest.raises(Halt, match="does not declare it"):
        Context().tables["shop"]


def test_a_query_of_an_index_waits_until_the_changes_of_the_batch_are_visible(client, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: 100.0, sleep=slept.append))
    found = tables(client, visible_at=101.5)
    assert list(found["shop"].query({"n": 3}, "by-n")) == [SHOP[3]]
    assert len(list(found["shop"].query({"PK": "ORDER#7"}))) == 5
    assert slept == [1.5]
    assert ("query", "prod-shop/by-n") in client.calls


def test_a_query_of_an_index_is_retried_if_there_is_no_time_to_wait(client, monkeypatch):
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: 100.0, sleep=None))
    found = tables(client, visible_at=101.5)
    with until(after(1.0)), pytest.raises(Retry, match="index_lag"):
        list(found["shop"].query({"n": 3}, "by-n"))


def test_a_query_needs_one_or_two_attributes():
    with pytest.raises(ValueError, match="the partition key and, optionally, the sort key"):
        query_of("shop", {})


NO_TABLE = ("ResourceNotFoundException", "Cannot do operations on a non-existent table")
NO_INDEX = ("ValidationException", "The table does not have the specified index: by-n")
FILLING = ("ValidationException", "Cannot read from backfilling global secondary index: by-n")
NO_INDEX_IN_MOTO = (
    "ResourceNotFoundException",
    "Invalid index: by-n for table: prod-shop. Available indexes are: ",
)
BAD_KEY = ("ValidationException", "Query condition missed key schema element: n")


def refusing(code: str, message: str) -> Any:
    refuse = raising(ClientError({"Error": {"Code": code, "Message": message}}, "Query"))
    return SimpleNamespace(query=refuse, batch_get_item=refuse)


@pytest.mark.parametrize("error", [NO_INDEX, FILLING, NO_INDEX_IN_MOTO])
def test_an_index_that_does_not_exist_halts(error):
    with pytest.raises(Halt, match=r"^table prod-shop has no secondary index by-n that can be read: create it"):
        list(tables(refusing(*error))["shop"].query({"n": 3}, "by-n"))


@pytest.mark.parametrize(
    "read", [lambda shop: list(shop.query({"n": 3}, "by-n")), lambda shop: shop.get([{"PK": "x", "SK": "y"}])]
)
def test_a_table_that_does_not_exist_halts(read):
    with pytest.raises(Halt, match=r"^the table prod-shop does not exist: create it"):
        read(tables(refusing(*NO_TABLE))["shop"])


def test_a_query_that_the_index_cannot_answer_is_an_error_of_the_route():
    with pytest.raises(ClientError, match="missed key schema"):
        list(tables(refusing(*BAD_KEY))["shop"].query({"m": 3}, "by-n"))


def test_a_connection_error_is_not_taken_for_a_missing_table():
    client = SimpleNamespace(query=raising(ConnectionError("reset")))
    with pytest.raises(ConnectionError, match="reset"):
        list(tables(client)["shop"].query({"n": 3}, "by-n"))
