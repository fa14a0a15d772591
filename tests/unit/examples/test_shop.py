"""The routes of the example shop."""

from __future__ import annotations

from typing import Any

import pytest
from builders import stream_record
from fakes import Bench
from tables_in_memory import TablesInMemory

from examples.shop.data import ITEMS, LAMP
from examples.shop.routes import CustomerOrders, Customers, Orders, Products, Reviews, customer_key
from service import Context, Index
from service.routing import Route
from service.settings import Settings
from service.sources.current_state import Lookups
from service.testing import insert, run

ADA = customer_key("ada")
REVIEW = {"PK": LAMP, "SK": "REVIEW#2026-01-14#ada"}
LAMPS = {"name": "Desk lamp", "price": 59.9}


def documents(*routes: Route, changed: Any, without: Any = (), event: str = "MODIFY") -> dict[str, Any]:
    """Return the documents that routes make after a change, from the shop's items other than `without`."""
    items = [item for item in ITEMS if {"PK": item["PK"], "SK": item["SK"]} not in without]
    context = Context(Settings(index_lag=0.0), dynamodb=TablesInMemory({"shop": items}))
    bench = Bench(*routes, context=context, truth=Lookups(context))
    image = {} if event == "REMOVE" else {"new": changed}
    assert bench.outcomes(stream_record(event, table="shop", keys=changed, **image)) == ["APPLIED"]
    return bench.documents


def test_a_customer_is_found_by_name():
    assert run(Customers(), insert(ITEMS[0])) == [Index({"name": "Ada Byron", "email": "ada@example.com"})]


def test_an_order_has_its_lines_and_the_name_of_its_customer():
    assert documents(Orders(), changed={"PK": "ORDER#1001", "SK": "LINE#2"}) == {
        "ORDER#1001": {
            "placed": "2026-01-09",
            "customer": "Ada Byron",
            "lines": [{"product": "nordic#lamp", "quantity": 1}, {"product": "atlas#mug", "quantity": 4}],
        }
    }


def test_an_order_of_a_deleted_customer_has_no_name():
    found = documents(Orders(), changed={"PK": "ORDER#1002", "SK": "ORDER"}, without=[ADA])
    assert found["ORDER#1002"]["customer"] is None


def test_lines_without_an_order_are_no_document():
    order = {"PK": "ORDER#1001", "SK": "ORDER"}
    assert documents(Orders(), changed=order, without=[order], event="REMOVE") == {}


@pytest.mark.parametrize("event", ["INSERT", "MODIFY", "REMOVE"])
def test_every_change_of_a_customer_changes_its_orders(event):
    assert sorted(documents(Orders(), CustomerOrders(), changed=ADA, event=event)) == ["ORDER#1001", "ORDER#1002"]


def test_a_product_has_the_average_of_its_stars():
    assert documents(Products(), changed=REVIEW) == {LAMP: {**LAMPS, "reviews": 2, "rating": 4.5}}


def test_a_product_without_reviews_has_no_average():
    reviews = [{"PK": LAMP, "SK": sort} for sort in ("REVIEW#2026-01-14#ada", "REVIEW#2026-02-20#bob")]
    found = documents(Products(), changed=reviews[0], without=reviews, event="REMOVE")
    assert found == {LAMP: {**LAMPS, "reviews": 0, "rating": None}}


def test_reviews_without_a_product_are_no_document():
    product = {"PK": LAMP, "SK": "PRODUCT"}
    assert documents(Products(), changed=product, without=[product], event="REMOVE") == {}


def test_a_review_is_in_the_index_of_its_seller_and_month():
    route = Reviews()
    assert route.index_of(REVIEW) == "reviews-nordic-2026-01"
    assert route.routing_of(REVIEW) == LAMP
    assert run(route, insert({**REVIEW, "stars": 5, "text": "Warm light.", "votes": 3})) == [
        Index({"product": "nordic#lamp", "stars": 5, "text": "Warm light."})
    ]


def test_a_vote_writes_nothing():
    review = {**REVIEW, "stars": 5, "text": "Warm light."}
    bench = Bench(Reviews())
    images = {"old": {**review, "votes": 3}, "new": {**review, "votes": 4}}
    assert bench.outcomes(stream_record("MODIFY", table="shop", keys=REVIEW, **images)) == ["SKIPPED"]
    assert bench.index.sent == []
