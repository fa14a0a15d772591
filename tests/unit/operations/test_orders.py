"""Parts of a backfill wait in a queue: whoever reads it works some pages off, and sends back what is left."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from fakes import Bench, Items, Uploads, records
from moto import mock_aws

from service.context import Context
from service.dispatch import Dispatcher, Outcome, Result
from service.errors import Halt, SettingsError
from service.operations import orders as ordering
from service.operations.backfill import Scan
from service.operations.orders import Enqueued, Orders
from service.records.orders import Order, OrderRecord
from service.records.undecodable import Undecodable
from service.routing import Router
from service.settings import Settings
from service.sources.scan import describe, segments

QUEUE = "parts"


class World:
    """A table of ten items, a queue, and a service whose routes write to models; its clock moves by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(segments, "PAGE", 2)
        clients = {
            name.replace("streams", "_streams"): boto3.client(name, region_name="us-east-1")
            for name in ("dynamodb", "dynamodbstreams", "sqs")
        }
        self.sqs, dynamodb = clients["sqs"], clients["dynamodb"]
        self.url = self.sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
        dynamodb.create_table(
            TableName="images",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        for number in range(10):
            dynamodb.put_item(TableName="images", Item={"id": {"S": f"i{number}"}, "n": {"N": str(number)}})
        self.context = Context(Settings(), **clients)
        self.bench = Bench(Items(), Uploads(), context=self.context)
        self.settings = self.context.settings
        self.letters = self.bench.letters
        self.router = Router([Items(), Uploads()])
        self.now = 0.0
        self.inside: list[tuple[str, str]] = []
        self.hinted: list[bool] = []
        self.orders = Orders(self, self.bench.dispatcher, lambda: self.now)

    def loader_of(self, routes: Sequence[Any], hints: bool = False) -> Dispatcher:
        self.hinted.append(hints)
        return self.bench.dispatcher

    def into(self, index: str, other: str, letters: Any) -> World:
        self.inside.append((index, other))
        return self

    @property
    def route(self) -> str:
        (name,) = [bound.name for bound in self.router.bound if bound.index]
        return str(name)

    def waiting(self) -> list[dict[str, Any]]:
        """What is in the queue; it is gone then."""
        found = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found]

    def work(self, *payloads: Mapping[str, Any], context: Context | None = None) -> list[Result]:
        """Messages are worked off."""
        return list(self.orders.dispatch(records(*payloads), "queue", context).results)

    def order(self, **what: Any) -> dict[str, Any]:
        """One segment, which is the whole table."""
        return replace(Order("images", (self.route,), QUEUE, segments=1), **what).payload

    def ids(self) -> list[str]:
        """The items in the order in which a scan gives them."""
        return [item["id"]["S"] for item in self.context.dynamodb.scan(TableName="images")["Items"]]

    @property
    def indexed(self) -> int:
        return len(self.bench.documents)

    def is_slow(self) -> None:
        """A page takes all the time that there is."""

        def loader_of(routes: Sequence[Any], hints: bool = False) -> Any:
            def dispatch(*given: Any, **more: Any) -> Any:
                self.now += ordering.AT_A_TIME
                return self.bench.dispatcher.dispatch(*given, **more)

            return SimpleNamespace(dispatch=dispatch)

        self.loader_of = loader_of  # type: ignore[method-assign]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        yield World(monkeypatch)


def test_an_order_says_the_same_once_it_is_read():
    order = Order("t", ("a:B",), QUEUE, 3, 4, 0.5, "s3://b/k", "arn", 1.5, "i", "i-000002", "17")
    assert Order.read(json.loads(json.dumps(order.payload))) == order


def test_the_segments_of_a_table_are_put_on_a_queue_and_are_the_whole_table_when_worked_off(world: World):
    table = describe(world.context, "images")
    bound = [one for one in world.router.bound if one.index]
    assert Enqueued(world, QUEUE).send(table, bound, Scan(segments=23), [], ("", "")) == 23
    seen = 0
    while payloads := world.waiting():
        assert {result.outcome for result in world.work(*payloads)} == {Outcome.APPLIED}
        seen += len(payloads)
    assert (seen, world.indexed) == (23, 10)


def test_a_fifo_queue_and_one_that_is_not_there_are_refused(world: World):
    with pytest.raises(SettingsError, match="FIFO"):
        Enqueued(world, "parts.fifo")
    with pytest.raises(Halt, match="other"):
        Enqueued(world, "other")


def test_a_part_is_worked_off_whole_while_there_is_time(world: World):
    (result,) = world.work(world.order())
    assert (result.outcome, world.indexed, world.waiting()) == (Outcome.APPLIED, 10, [])


def test_what_is_left_after_a_while_goes_back_to_the_queue_and_is_gone_on_with(world: World):
    world.is_slow()
    (result,) = world.work(world.order())
    assert (result.outcome, world.indexed) == (Outcome.APPLIED, 2)
    (rest,) = world.waiting()
    assert rest["after"]
    world.work(rest)
    assert world.indexed == 4


def test_each_part_of_a_batch_moves_on_however_many_there_are(world: World):
    world.is_slow()
    world.work(*(world.order(segments=5, segment=number) for number in range(5)))
    read = {write.id for write in world.bench.index.sent}
    assert len(read) >= 5, "of each segment a page, where one has any items"


def test_changes_among_them_are_dispatched_first(world: World):
    pointer = {"bucket": "images-in", "key": "a.jpg"}
    results = world.work(world.order(), pointer)
    assert [result.outcome for result in results] == [Outcome.APPLIED, Outcome.APPLIED]
    assert [write.target for write in world.bench.table.sent] == ["images"]


def test_read_units_are_kept_to_by_waiting_in_the_queue(world: World, monkeypatch: pytest.MonkeyPatch):
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(world.sqs, "send_message", lambda **message: sent.append(message))
    world.work(world.order(units=0.25))
    assert world.indexed == 2
    (message,) = sent
    assert message["DelaySeconds"] >= 2, "a page costs a half unit at least"


class Parent:
    """The context of a Lambda that has so much time left."""

    def __init__(self, seconds: float):
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> float:
        return self._seconds * 1000


def test_a_page_is_not_begun_where_a_lambda_has_no_time_for_it(world: World):
    (result,) = world.work(world.order(), context=world.context.during(Parent(5.0)))
    assert (result.outcome, world.indexed) == (Outcome.RETRY, 0)
    assert world.work(world.order(), context=world.context.during(Parent(60.0)))[0].outcome is Outcome.APPLIED


def test_what_is_not_done_comes_again_and_pages_before_it_are_kept(world: World):
    busy = world.ids()[3]
    world.bench.index.forced[busy] = [Result(Outcome.RETRY, "429")] * 2
    (result,) = world.work(world.order())
    assert (result.outcome, world.indexed) == (Outcome.APPLIED, 3)
    (rest,) = world.waiting()
    (result,) = world.work(rest)
    assert (result.outcome, result.reason, world.waiting()) == (Outcome.RETRY, "429", [])
    (result,) = world.work(rest)
    assert (result.outcome, world.indexed) == (Outcome.APPLIED, 10)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"streamdex-part": 99}, "in format 99"),
        ({"routes": ["gone:Gone"]}, "gone:Gone"),
        ({"routes": []}, "no route"),
        ({"file": "/nowhere/x.json.gz", "export": "arn:aws:dynamodb:x:1:table/images"}, "not there any longer"),
    ],
)
def test_what_nobody_can_work_off_is_kept_with_its_reason(world: World, change: dict[str, Any], reason: str):
    payload = {**world.order(), **change}
    (result,) = world.work(payload)
    assert result.outcome is Outcome.REJECTED
    (letter,) = world.letters.letters
    assert reason in letter.result.reason
    assert isinstance(letter.record, Undecodable)
    assert letter.record.raw == payload


def test_a_table_that_is_not_there_halts(world: World):
    with pytest.raises(Halt, match="nowhere"):
        world.work(world.order(table="nowhere"))


def test_an_order_that_lacks_something_is_kept(world: World):
    payload = world.order()
    del payload["table"]
    (result,) = world.work(payload)
    assert (result.outcome, "not whole" in result.reason) == (Outcome.REJECTED, True)


def test_who_knows_nothing_of_orders_keeps_them(world: World):
    (record,) = records(world.order())
    assert isinstance(record, OrderRecord)
    (result,) = world.bench.dispatcher.dispatch([record], "replay").results
    assert result.outcome is Outcome.REJECTED
    assert "only a service that reads its queue" in result.reason


def test_an_order_of_a_rebuild_goes_to_the_new_index(world: World):
    world.work(world.order(index="items", into="items"))
    assert world.inside == [("items", "items")]
    world.work(world.order(index="items", into="items"))
    assert len(world.inside) == 1, "made once"
