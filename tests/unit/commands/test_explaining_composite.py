"""`routes explain` for documents of several items: their current state, and the documents that a record names."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from builders import stream_record
from fakes import NOW, records
from shop_scene import Customers, Orders

from service import CollectionRoute, Context, Reindex
from service.commands.routes.command import as_json, in_words
from service.commands.routes.explanation import Explanation, explain
from service.errors import Halt
from service.pipeline.rereads import Rereads
from service.routing import Router
from service.settings import Settings
from service.sources.current_state import Lookups
from service.tables_in_memory import TablesInMemory

SHOP: dict[str, Any] = {
    "customers": [{"id": "a", "name": "Ada"}],
    "orders": [{"PK": "1", "SK": "HEAD", "customer": "a"}, {"PK": "1", "SK": "LINE1", "n": 7}],
}
LINE = stream_record("REMOVE", table="orders", keys={"PK": "1", "SK": "LINE2"}, old={"PK": "1", "SK": "LINE2"})
CUSTOMER = stream_record("MODIFY", table="customers", keys={"id": "a"}, new={"id": "a"})


def explained(raw: Any, *routes: Any, client: Any = None) -> tuple[Explanation, str]:
    """Return the explanation and its text."""
    context = Context(Settings(index_lag=0.0), dynamodb=client or TablesInMemory(SHOP))
    (record,) = records(raw)
    judge = Rereads(Lookups(context), 1800.0, now=lambda: NOW)
    found = explain(record, Router(routes or (Orders(), Customers())), judge, context)
    return found, in_words(found, record)


@pytest.mark.parametrize("raw", [LINE, stream_record("MODIFY", table="orders", keys={"PK": "1", "SK": "LINE1"})])
def test_a_document_of_several_items_is_shown_as_its_current_items_make_it(raw):
    found, text = explained(raw)
    (order, _) = found.steps
    assert order.hint == "the document is made of several items"
    assert order.id == "1"
    assert [(action["action"], action["document"]) for action in order.actions] == [
        ("Index", {"customer": "Ada", "lines": [7]})
    ]
    assert "re-reads the current state first: the document is made of several items" in text


def test_the_documents_that_a_record_names_are_counted_and_the_first_are_shown():
    def keys():
        yield from ({"PK": f"{n:04}"} for n in range(1001))
        pytest.fail("more keys are read than are counted")

    class Many(Customers):
        def modify(self, record, context):
            return [Reindex(Orders, keys())]

    found, text = explained(CUSTOMER, Orders(), Many())
    (action,) = found.steps[1].actions
    assert (action["documents"], action["more"], len(action["keys"])) == (1000, True, 5)
    assert (
        "  Reindex -> shop_scene:Orders\n    makes more than 1,000 documents again, from the current state" in text
    )
    assert '\n    {"PK": "0004"}\n    …' in text
    assert as_json(found)["routes"][1]["actions"][0]["keys"][0] == {"PK": "0000"}


def test_a_document_that_is_named_twice_is_one():
    class Twice(Customers):
        def modify(self, record, context):
            return [Reindex(Orders, [{"PK": "1"}, {"PK": "1"}])]

    _, text = explained(CUSTOMER, Orders(), Twice())
    assert 'makes 1 document again, from the current state\n    {"PK": "1"}' in text
    assert "…" not in text


def test_a_key_that_cannot_be_read_is_the_dead_letter_that_it_would_be():
    class Broken(Customers):
        def modify(self, record, context):
            return [Reindex(Orders, ({"PK": name} for name in [record.new["missing"]]))]

    found, _ = explained(CUSTOMER, Orders(), Broken())
    assert found.steps[1].reason.startswith("REJECTED: ")
    assert "'missing' is missing" in found.steps[1].reason
    assert not found.arrives


def test_a_table_that_cannot_be_read_leaves_the_actions_unknown():
    class Denied(TablesInMemory):
        def query(self, *arguments: Any, **request: Any) -> Any:
            raise Halt("grant the permission")

    for step in [explained(LINE, client=Denied())[0].steps[0], explained(CUSTOMER, client=Denied())[0].steps[1]]:
        assert step.reason == "its actions are unknown, because a request fails: grant the permission"
        assert step.takes


@pytest.mark.parametrize(("sort", "takes"), [("ORDER#7#LINE#1", True), ("PROFILE", False)])
def test_an_item_of_no_collection_is_not_taken(sort, takes):
    class Parted(CollectionRoute):
        table: ClassVar = "orders"
        key: ClassVar = {"PK": "S", "SK": "S"}
        index: ClassVar = "orders"

        def sort_prefix(self, sort):
            return "ORDER#7" if sort.startswith("ORDER") else None

        def document(self, items):
            return {"n": len(items)}

    keys = {"PK": "1", "SK": sort}
    found, _ = explained(stream_record(table="orders", keys=keys, new=keys), Parted())
    assert found.steps[0].takes == takes
    if not takes:
        assert found.steps[0].reason == "sort_prefix('PROFILE') returns None: the item belongs to no collection"
