"""The routes of the example shop."""

from __future__ import annotations

import pytest

from examples.shop.data import ITEMS, LAMP
from examples.shop.routes import Chunks, CustomerOrders, Customers, Orders, Products, Reviews, customer_key
from service import Delete, Index, Reindex
from service.testing import insert, modify, remove, run, sub_documents

SHOP = {"shop": ITEMS}
ADA = customer_key("ada")
REVIEW = {"PK": LAMP, "SK": "REVIEW#2026-01-14#ada", "stars": 5, "text": "Warm light."}
LAMPS = {"name": "Desk lamp", "price": 59.9}


def test_a_customer_is_found_by_name():
    assert run(Customers(), insert(ITEMS[0])) == [Index({"name": "Ada Byron", "email": "ada@example.com"})]


def test_an_order_has_its_lines_and_the_name_of_its_customer():
    line = {"PK": "ORDER#1001", "SK": "LINE#2", "product": "atlas#mug", "quantity": 3}
    lines = [{"product": "nordic#lamp", "quantity": 1}, {"product": "atlas#mug", "quantity": 3}]
    document = {"placed": "2026-01-09", "customer": "Ada Byron", "lines": lines}
    assert run(Orders(), insert(line), tables=SHOP) == [Index(document)]


def test_an_order_without_a_customer_has_no_name():
    order = {"PK": "ORDER#1", "SK": "ORDER", "customer": "ada", "placed": "2026-01-09"}
    assert run(Orders(), insert(order)) == [Index({"placed": "2026-01-09", "customer": None, "lines": []})]


def test_lines_without_an_order_are_no_document():
    assert run(Orders(), remove({"PK": "ORDER#1001", "SK": "ORDER"}), tables=SHOP) == [Delete()]


@pytest.mark.parametrize("change", [insert(ADA), modify(ADA, ADA), remove(ADA)])
def test_every_change_of_a_customer_changes_its_orders(change):
    orders = [{"PK": "ORDER#1001"}, {"PK": "ORDER#1002"}]
    assert run(CustomerOrders(), change, tables=SHOP) == [Reindex(Orders, orders)]


def test_a_product_has_the_average_of_its_stars():
    document = {**LAMPS, "reviews": 2, "rating": 2.5}
    assert run(Products(), insert({**REVIEW, "stars": 1}), tables=SHOP) == [Index(document)]


def test_a_product_without_reviews_has_no_average():
    lamp = {"PK": LAMP, "SK": "PRODUCT", **LAMPS}
    assert run(Products(), insert(lamp)) == [Index({**LAMPS, "reviews": 0, "rating": None})]


def test_reviews_without_a_product_are_no_document():
    assert run(Products(), remove({"PK": LAMP, "SK": "PRODUCT"}), tables=SHOP) == [Delete()]


def test_a_review_is_in_the_index_of_its_seller_and_month():
    assert run(Reviews(), insert(REVIEW)) == [Index({"product": "nordic#lamp", "stars": 5, "text": "Warm light."})]
    assert Reviews().index_of(REVIEW) == "reviews-nordic-2026-01"
    assert Reviews().routing_of(REVIEW) == LAMP


def test_a_vote_writes_nothing():
    assert run(Reviews(), modify({**REVIEW, "votes": 3}, {**REVIEW, "votes": 4})) == []


def test_a_description_has_a_document_for_each_paragraph():
    old = {"PK": LAMP, "SK": "PRODUCT", "description": "One.\n\nTwo.\n\n"}
    new = {"PK": LAMP, "SK": "PRODUCT", "description": "One!"}
    assert sub_documents(Chunks(), insert(old)) == {"0": {"text": "One."}, "1": {"text": "Two."}}
    assert sub_documents(Chunks(), modify(old, new)) == {"0": {"text": "One!"}, "1": None}
    assert sub_documents(Chunks(), insert({"PK": LAMP, "SK": "PRODUCT"})) == {}
