"""The list of the latest records, and each record with its writes and the stored documents."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pytest
from builders import s3_record, stream_record
from fakes import Items
from opensearchpy.exceptions import ConnectionError as Unreached
from opensearchpy.exceptions import TransportError
from page_bench import Page, words
from shop_scene import Customers, Orders

from service.errors import Halt
from service.model import ObjectRecord
from service.model.outcomes import Outcome
from service.model.versions import EPOCH
from service.pipeline import Result
from service.routing import BucketRoute, DeleteItem, UpdateItem
from service.tables_in_memory import TablesInMemory
from service.telemetry import recent

REFUSED = Result(Outcome.REJECTED, "mapping conflict", 400)


class Moody(Items):
    """A route that raises an error with the value of an item."""

    def document(self, item: Any) -> Any:
        if "raise" in item:
            raise KeyError(item["raise"])
        return super().document(item)


class Uploads(BucketRoute):
    bucket: ClassVar = "images-in"
    writes: ClassVar = {"table": "images"}

    def created(self, upload: ObjectRecord, context: Any) -> Any:
        return [UpdateItem({"id": upload.key, "size": upload.size})]

    def deleted(self, upload: ObjectRecord, context: Any) -> Any:
        return [DeleteItem({"id": upload.key})]


def keys(html: str) -> list[str]:
    return re.findall(r'href="/records/[^"]+"><bdi>([^<]*)', html)


def opened(page: Page, key: str) -> str:
    """Return the text of the page of the latest record with this key."""
    (path, *_) = re.findall(rf'href="(/records/[^"]+)"><bdi>{key}<', page.get("/records"))
    return words(page.get(path))


def test_the_latest_records_come_first_with_outcome_and_reason(page):
    page.bench.index.forced = {"b": [REFUSED]}
    page.dispatch(stream_record(new={"id": "a"}), stream_record(new={"id": "b"}, sequence="2"))
    assert keys(page.get("/records")) == ["b", "a"]
    assert "✕ rejected b mapping conflict INSERT fakes:Items table images just now" in words(page.get("/records"))


def test_they_are_filtered_by_outcome_route_and_any_text(page):
    page.bench.index.forced = {"b": [REFUSED]}
    page.dispatch(
        stream_record(new={"id": "a", "n": "Lisbon"}),
        stream_record(new={"id": "b"}, sequence="2"),
        stream_record("REMOVE", old={"id": "c"}, sequence="3"),
        stream_record(new={"id": "d"}, sequence="4", table="strangers"),
    )
    for query, wanted in {
        "outcome=rejected": ["b"],
        "outcome=applied": ["c", "a"],
        "route=fakes:Items": ["c", "b", "a"],
        "text=lisbon": ["a"],
        "text=MAPPING conflict": ["b"],
        "text=remove": ["c"],
        "outcome=applied&text=lisbon": ["a"],
        "text=nowhere": [],
    }.items():
        assert keys(page.get(f"/records?{query}")) == wanted, query


def test_a_record_shows_its_raw_form_document_id_version_and_the_stored_document(page):
    page.dispatch(stream_record(new={"id": "a", "n": 7}, created=1_700_000_000, sequence="5" + "0" * 20))
    shown = opened(page, "a")
    assert '"NewImage": { "id": { "S": "a" }, "n": { "N": "7" } }' in shown
    version = f"{(1_700_000_000 - EPOCH << 32) + 5} change at 2023-11-14T22:13:20Z, order within that second: 5"
    assert f"Id a Version {version} Version in the index {version}" in shown
    assert "The stored document is identical." in shown
    assert shown.count('{ "n": 7 }') == 2


def test_differences_are_listed_by_field(page):
    page.dispatch(stream_record(new={"id": "a", "n": {"x": 1, "y": [1, 2]}}))
    page.bench.index.documents["items", "a"] = {"n": {"x": 2, "y": [1, 2]}, "more": True}
    shown = opened(page, "a")
    assert "The stored document differs." in shown
    assert "n.x 1 2 more (missing) true" in shown


class Piped(Items):
    computed: ClassVar = ("embedding",)


def test_a_field_that_a_pipeline_makes_is_no_difference(make):
    page = make(Piped())
    page.dispatch(stream_record(new={"id": "a", "n": 1}))
    page.bench.index.documents["items", "a"] = {"n": 1, "embedding": [0.5]}
    assert "The stored document is identical." in opened(page, "a")


def test_a_record_that_is_not_the_last_change_says_so(page):
    page.dispatch(stream_record(new={"id": "a", "n": 1}, created=1_700_000_000))
    page.dispatch(stream_record("MODIFY", new={"id": "a", "n": 2}, created=1_700_000_005, sequence="2"))
    (_, first) = re.findall(r'href="(/records/[^"]+)"><bdi>a<', page.get("/records"))
    assert "The index has a newer version: this record is not the last change of the item." in words(
        page.get(first)
    )


def test_a_removal_is_compared_too(page):
    page.dispatch(stream_record("REMOVE", old={"id": "a"}))
    assert "The document is not in the index, as expected." in opened(page, "a")
    page.bench.index.documents["items", "a"] = {}
    page.bench.index.versions["items", "a"] = 1
    assert "The document is still in the index, although the route deletes it." in opened(page, "a")


def test_an_error_of_the_route_is_shown_in_place_of_its_document(make):
    page = make(Moody())
    page.dispatch(stream_record(new={"id": "a", "raise": "title"}))
    assert "KeyError: 'title' is missing" in opened(page, "a").partition("Writes that the route returns now")[2]


def test_a_rejected_record_leads_to_its_dead_letter(page):
    page.bench.index.forced = {"b": [REFUSED]}
    page.dispatch(stream_record(new={"id": "b"}))
    (path, *_) = re.findall(r'href="(/records/[^"]+)"><bdi>b<', page.get("/records"))
    (letter,) = re.findall(r'href="(/letters/\w+)"', page.get(path))
    assert "mapping conflict" in page.get(letter)


def test_an_action_on_a_table_is_shown_as_the_route_returns_it(make):
    page = make(Uploads(), source="queue uploads")
    page.dispatch(s3_record("a b.jpg", size=3))
    shown = opened(page, "images-in/a b.jpg")
    assert 'UpdateItem in images Item from the route { "id": "a b.jpg", "size": 3 }' in shown


def test_a_document_of_several_items_is_compared_as_its_current_items_make_it(make):
    orders = [{"PK": "1", "SK": "HEAD", "customer": "a"}]
    tables = TablesInMemory({"customers": [{"id": "a", "name": "Ada"}], "orders": orders})
    page = make(Orders(), Customers(), source="table orders", items=tables, index_lag=0.0)
    line = {"PK": "1", "SK": "LINE1", "n": 7}
    page.dispatch(stream_record(table="orders", keys={"PK": "1", "SK": "LINE1"}, new=line))
    assert "Requested write Index in orders, id 1" in opened(page, "[^<]*LINE1[^<]*")
    orders.append(line)
    tables.tables["orders"].append(line)
    shown = opened(page, "[^<]*LINE1[^<]*")
    assert '"lines": [ 7 ]' in shown
    assert "The stored document differs." in shown


@pytest.mark.parametrize(
    ("orders", "amount"), [(2, "2 documents made again from the current state."), (7, "The first keys:")]
)
def test_the_documents_that_a_record_names_are_shown(make, orders, amount):
    heads = [{"PK": f"{n}", "SK": "HEAD", "customer": "a"} for n in range(orders)]
    tables = TablesInMemory({"customers": [{"id": "a", "name": "Ada"}], "orders": heads})
    page = make(Orders(), Customers(), source="table customers", items=tables, index_lag=0.0)
    page.dispatch(stream_record("MODIFY", table="customers", keys={"id": "a"}, new={"id": "a"}))
    shown = opened(page, "a")
    assert "Reindex of shop_scene:Orders" in shown
    assert amount in shown
    assert '"PK": "1"' in shown
    assert '"PK": "5"' not in shown
    assert "The route returns no writes" not in shown


def test_a_table_that_cannot_be_read_is_reported(make):
    class Denied(TablesInMemory):
        def query(self, *arguments: Any, **request: Any) -> Any:
            raise Halt("grant the permission")

    page = make(Customers(), Orders(), source="table customers", items=TablesInMemory(), index_lag=0.0)
    page.dispatch(stream_record("MODIFY", table="customers", keys={"id": "a"}, new={"id": "a"}))
    page.state.app.context._clients["dynamodb"] = Denied()
    assert "grant the permission" in opened(page, "a")


def test_an_undecodable_record_is_shown_raw(page):
    page.dispatch({"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": "17"}})
    shown = opened(page, "17")
    assert "The record cannot be decoded:" in shown
    assert '"SequenceNumber": "17"' in shown


def test_a_record_without_a_route_is_shown(page):
    page.dispatch(stream_record(new={"id": "a"}, table="strangers"))
    assert "No route handles this record." in opened(page, "a")


@pytest.mark.parametrize(
    ("error", "reported"),
    [
        (Unreached("N/A", "refused", OSError()), "the search server does not answer: refused"),
        (TransportError(403, "x", {"error": {"reason": "no permissions"}}), "answered 403: no permissions"),
        (TransportError(502, "x", "Bad gateway"), "answered 502: Bad gateway"),
    ],
)
def test_an_index_that_cannot_be_read_is_reported_and_the_rest_is_shown(page, error, reported):
    page.dispatch(stream_record(new={"id": "a", "n": 7}))
    page.index.errors = [error]
    shown = opened(page, "a")
    assert reported in shown
    assert '{ "n": 7 }' in shown


def test_a_record_that_is_too_large_is_listed_without_its_content(page, monkeypatch):
    monkeypatch.setattr(recent, "LARGEST", 1000)
    raw = stream_record(new={"id": "a", "n": "x" * 2000})
    raw["dynamodb"]["SizeBytes"] = 2000
    page.dispatch(raw)
    assert "The record is too large for the page to keep." in opened(page, "a")


def test_a_record_that_is_no_longer_kept_is_reported(make):
    page = make(page_records=1)
    page.dispatch(stream_record(new={"id": "a"}))
    (path,) = re.findall(r'href="(/records/[^"]+)"><bdi>a<', page.get("/records"))
    page.dispatch(stream_record(new={"id": "b"}, sequence="2"))
    assert "no longer kept" in page.get(path, 404)


def test_opening_a_record_writes_nothing(page):
    page.dispatch(stream_record(new={"id": "a"}))
    sent = len(page.bench.index.sent)
    opened(page, "a")
    assert len(page.bench.index.sent) == sent
