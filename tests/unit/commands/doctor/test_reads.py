"""Findings about routes that read other tables, and that name documents to make again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
from planted import Clinic, index_of
from planted_aws import make_table
from shop_scene import Customers, Orders

from service.commands.doctor import ERROR, NOTE, WARNING, Finding
from service.routing import Route

CUSTOMERS: Mapping[str, str] = {"id": "S"}
BY_CUSTOMER: Mapping[str, str] = {"customer": "S"}


@pytest.fixture
def shop(clinic: Clinic) -> Clinic:
    """A healthy shop, without its tables."""
    clinic.search.indices["orders-000001"] = index_of(orders={})
    clinic.change(read_queue=())
    clinic.serve(Orders(), Customers())
    return clinic


def findings(shop: Clinic) -> list[Finding]:
    """Return the findings without the note about the task queue."""
    return [one for one in shop.findings() if one.subject != "task_queue"]


def tables(shop: Clinic, view: str = "NEW_AND_OLD_IMAGES", **indexes: Mapping[str, str]) -> None:
    make_table(shop, "customers", CUSTOMERS, view)
    make_table(shop, "orders", Orders.key, **indexes)


def test_a_shop_with_all_that_its_routes_read_is_well(shop: Clinic):
    tables(shop, by_customer=BY_CUSTOMER)
    assert findings(shop) == []


def test_a_missing_index_is_named_with_its_routes_and_the_remedy(shop: Clinic):
    tables(shop, by_date=BY_CUSTOMER)
    (found,) = findings(shop)
    assert (found.topic, found.subject, found.severity) == ("index", "table orders", ERROR)
    assert found.problem == "it has no secondary index by-customer, which shop_scene:Customers reads"
    assert "aws dynamodb update-table --table-name orders" in found.remedy


@pytest.fixture
def index_status(shop: Clinic) -> Iterator[Any]:
    """Yield a dict whose `status` all secondary indexes have."""
    wanted = {"status": "ACTIVE"}

    def change(parsed: Mapping[str, Any], **_: Any) -> None:
        for index in parsed.get("Table", {}).get("GlobalSecondaryIndexes", []):
            index["IndexStatus"] = wanted["status"]

    events = shop.context.dynamodb.meta.events
    events.register("after-call.dynamodb.DescribeTable", change)
    yield wanted
    events.unregister("after-call.dynamodb.DescribeTable", change)


@pytest.mark.parametrize(
    ("status", "problems"), [("CREATING", 1), ("DELETING", 1), ("UPDATING", 0), ("ACTIVE", 0)]
)
def test_an_index_that_cannot_be_read_yet_is_named(shop: Clinic, index_status, status, problems):
    tables(shop, by_customer=BY_CUSTOMER)
    index_status["status"] = status
    found = findings(shop)
    assert [(one.topic, one.severity) for one in found] == [("index", ERROR)] * problems
    assert all(one.problem.endswith(f"is {status}") for one in found)


def test_a_table_that_is_only_read_has_to_exist_and_is_described_with_other_credentials(shop: Clinic):
    shop.serve(Orders())
    make_table(shop, "orders", Orders.key)
    (found,) = findings(shop)
    assert (found.topic, found.subject, found.problem) == ("table", "table customers", "it does not exist")

    make_table(shop, "customers", CUSTOMERS, view="")  # it needs no stream
    assert findings(shop) == []


def test_a_service_may_not_describe_a_table_that_it_only_reads(shop: Clinic, monkeypatch):
    class Elsewhere(Customers):
        reads: ClassVar = ("archive",)

    shop.serve(Elsewhere(), Orders())
    tables(shop)
    make_table(shop, "archive", Orders.key)
    describe = shop.context.dynamodb.describe_table

    def described(TableName: str) -> Any:
        shop.clients.answers.clear()
        if TableName == "archive":
            shop.deny("dynamodb.DescribeTable")
        return describe(TableName=TableName)

    monkeypatch.setattr(shop.context.dynamodb, "describe_table", described)
    (found,) = findings(shop)
    assert (found.subject, found.severity) == ("table archive", NOTE)
    assert "not checked: dynamodb:DescribeTable is denied" in found.problem


@pytest.mark.parametrize(
    ("operation", "routes", "subjects"),
    [
        ("Query", [Orders()], ["table orders", "table customers"]),
        (
            "Query",
            [Customers(), Orders()],
            ["table orders", "table customers", BY_INDEX := "secondary index by-customer of table orders"],
        ),
        ("BatchGetItem", [Orders()], ["table customers"]),
        ("BatchGetItem", [Customers(), Orders()], ["table customers"]),
    ],
)
def test_a_denied_read_is_named_for_each_table_and_index_that_needs_it(
    shop: Clinic, operation: str, routes: list[Route], subjects: list[str]
):
    tables(shop, by_customer=BY_CUSTOMER)
    shop.serve(*routes)
    shop.deny(f"dynamodb.{operation}")
    assert {(one.subject, one.problem) for one in findings(shop)} == {
        (subject, f"dynamodb:{operation} is denied") for subject in subjects
    }


def test_the_key_of_a_collection_is_that_of_the_table(shop: Clinic):
    make_table(shop, "customers", CUSTOMERS)
    make_table(shop, "orders", {"PK": "S", "SK": "N"}, by_customer=BY_CUSTOMER)
    (found,) = findings(shop)
    assert (found.topic, found.subject, found.severity) == ("key", "table orders", ERROR)
    assert "SK (N), but shop_scene:Orders declares PK (S), SK (S)" in found.problem


@pytest.mark.parametrize("view", ["NEW_IMAGE", "KEYS_ONLY"])
def test_without_old_images_documents_that_an_item_left_are_not_made_again(shop: Clinic, view):
    tables(shop, view, by_customer=BY_CUSTOMER)
    (found,) = findings(shop)
    assert (found.topic, found.subject, found.severity) == ("view", "table customers", WARNING)
    assert "shop_scene:Customers cannot name the documents that an item belonged to before" in found.problem


def test_a_lambda_without_a_task_queue_is_noted(shop: Clinic):
    tables(shop, by_customer=BY_CUSTOMER)
    (found,) = shop.findings()
    assert (found.topic, found.subject, found.severity) == ("settings", "task_queue", NOTE)
    assert "shop_scene:Customers names more than 1000 documents" in found.problem
    shop.change(task_queue="tasks")
    assert "task_queue" not in [one.subject for one in shop.findings()]
