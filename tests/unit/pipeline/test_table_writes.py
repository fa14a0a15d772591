"""Items that table routes write to moto's DynamoDB: no replay, redelivery or late record makes them stale."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from builders import sqs_message, stream_record
from fakes import NOW, Bench

from service import DeleteItem, PutItem, TableRoute, UpdateItem
from service.context import Context
from service.model.dynamodb_json import read_item
from service.model.serializer import typed
from service.model.versions import RUNS_BACK
from service.sinks.dynamodb import ItemSink
from service.sources.current_state import Lookups

START = 1_700_000_000


class Lines(TableRoute):
    """A route that stores the number `n` of each line in the order."""

    table: ClassVar = "lines"
    key: ClassVar = {"id": "S"}
    writes: ClassVar = {"table": "orders"}

    def insert(self, record, context):
        return [UpdateItem({"id": record.new["order"], record.new["id"]: record.new["n"]})]

    modify = insert

    def remove(self, record, context):
        return []


class Copies(TableRoute):
    """A route that copies each line to an item of another table."""

    table: ClassVar = "lines"
    key: ClassVar = {"id": "S"}
    writes: ClassVar = {"table": "copies"}

    def insert(self, record, context):
        return [PutItem(record.new)]

    modify = insert

    def remove(self, record, context):
        return [DeleteItem(record.keys)]


@pytest.fixture
def dynamodb(mocked_dynamodb):
    for table in ("orders", "lines", "copies"):
        mocked_dynamodb.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
    return mocked_dynamodb


def bench(client: Any, *routes: Any, **options: Any) -> Bench:
    context = Context(dynamodb=client)
    return Bench(*routes, table=ItemSink(context), truth=Lookups(context), **options)


def line(number: int, name: str = "l1", *, n: int = 1, created: float = START, event: str = "INSERT") -> Any:
    """Return a change of a line of the order o. `number` is its position in its shard."""
    image = {"id": name, "order": "o", "n": n}
    images = {"old": image} if event == "REMOVE" else {"new": image}
    return stream_record(event, table="lines", sequence=f"{number}{0:020d}", created=created, **images)


def put(client: Any, table: str, **item: Any) -> None:
    client.put_item(TableName=table, Item=typed(item))


def item(client: Any, table: str, name: str) -> dict[str, Any] | None:
    """Return an item without its `_streamdex` attribute."""
    found = client.get_item(TableName=table, Key={"id": {"S": name}}).get("Item")
    return found and {key: value for key, value in read_item(found).items() if key != "_streamdex"}


def test_the_lines_of_an_order_that_was_deleted_do_not_bring_it_back(dynamodb):
    put(dynamodb, "orders", id="o", customer="c")
    put(dynamodb, "lines", id="l1", order="o", n=1)
    assert bench(dynamodb, Lines()).outcomes(line(1)) == ["APPLIED"]
    assert item(dynamodb, "orders", "o") == {"id": "o", "customer": "c", "l1": 1}
    dynamodb.delete_item(TableName="orders", Key={"id": {"S": "o"}})
    report = bench(dynamodb, Lines()).dispatch(line(2, "l2"), line(3))
    assert [result.outcome.name for result in report.results] == ["SKIPPED", "SKIPPED"]
    assert "create=True" in report.results[0].reason
    assert bench(dynamodb, Lines()).outcomes(sqs_message(line(3))) == ["SKIPPED"]
    assert item(dynamodb, "orders", "o") is None


def test_replaying_a_recording_does_not_bring_the_order_back_either(dynamodb):
    put(dynamodb, "orders", id="o")
    recording = [line(1), line(2, n=2)]
    bench(dynamodb, Lines()).dispatch(*recording)
    dynamodb.delete_item(TableName="orders", Key={"id": {"S": "o"}})
    assert bench(dynamodb, Lines(), trusting=True).outcomes(*recording) == ["SKIPPED", "SKIPPED"]
    assert item(dynamodb, "orders", "o") is None


@pytest.mark.parametrize("name", ["orders", "copies"])
def test_replaying_a_part_of_a_recording_makes_no_item_older(dynamodb, name):
    put(dynamodb, "orders", id="o")
    recording = [line(1), line(2, n=2, created=START + 60)]
    bench(dynamodb, Lines(), Copies()).dispatch(*recording)
    there = item(dynamodb, name, "o" if name == "orders" else "l1")
    report = bench(dynamodb, Lines(), Copies(), trusting=True).dispatch(recording[0])
    assert [result.outcome.name for result in report.results] == ["STALE"]
    assert item(dynamodb, name, "o" if name == "orders" else "l1") == there


def test_a_route_that_says_create_makes_the_item(dynamodb):
    class Creating(Lines):
        def insert(self, record, context):
            return [UpdateItem({"id": "o", "n": record.new["n"]}, create=True)]

    assert bench(dynamodb, Creating()).outcomes(line(1)) == ["APPLIED"]
    assert item(dynamodb, "orders", "o") == {"id": "o", "n": 1}


def test_a_redelivered_record_changes_nothing(dynamodb):
    put(dynamodb, "lines", id="l1", order="o", n=2)
    first, second = line(1), line(2, n=2, created=START + 60)
    bench(dynamodb, Copies()).dispatch(first, second)
    assert bench(dynamodb, Copies()).outcomes(first) == ["STALE"]
    assert item(dynamodb, "copies", "l1") == {"id": "l1", "order": "o", "n": 2}
    assert bench(dynamodb, Copies()).outcomes(second) == ["APPLIED"]
    assert item(dynamodb, "copies", "l1") == {"id": "l1", "order": "o", "n": 2}


def test_a_late_record_of_a_queue_changes_nothing(dynamodb):
    put(dynamodb, "lines", id="l1", order="o", n=2)
    bench(dynamodb, Copies()).dispatch(line(2, n=2, created=START + 60))
    assert bench(dynamodb, Copies()).outcomes(sqs_message(line(1))) == ["APPLIED"]  # writes the current state
    dynamodb.delete_item(TableName="lines", Key={"id": {"S": "l1"}})
    bench(dynamodb, Copies()).dispatch(line(3, n=2, created=START + 61, event="REMOVE"))
    bench(dynamodb, Copies()).dispatch(sqs_message(line(1)))
    assert item(dynamodb, "copies", "l1") is None


def test_a_change_whose_time_runs_back_within_its_shard_is_written(dynamodb):
    put(dynamodb, "lines", id="l1", order="o", n=2)
    bench(dynamodb, Copies()).dispatch(line(1, created=START + RUNS_BACK), line(2, n=2))
    assert item(dynamodb, "copies", "l1") == {"id": "l1", "order": "o", "n": 2}


def test_of_two_items_that_write_one_the_older_record_is_not_lost(dynamodb):
    put(dynamodb, "orders", id="o")
    for name in ("l1", "l2"):
        put(dynamodb, "lines", id=name, order="o", n=1)
    bench(dynamodb, Lines()).dispatch(line(1, "l2", created=START + 3600))
    assert bench(dynamodb, Lines(), clock=lambda: NOW + 3600).outcomes(line(1, "l1")) == ["APPLIED"]
    assert item(dynamodb, "orders", "o") == {"id": "o", "l1": 1, "l2": 1}
