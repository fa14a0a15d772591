"""Backfill tasks in a queue: a worker reads some pages of a task, and sends the rest back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

import boto3
import pytest
from fakes import Bench, Items, Uploads, records
from moto import mock_aws

from service.commands.backfill import tasks as working
from service.commands.backfill.loading import Scan
from service.commands.backfill.tasks import TaskQueue, TaskWorker
from service.context import Context
from service.deadline import NO_DEADLINE, Deadline
from service.errors import Halt, SettingsError
from service.model.backfill_task import BackfillTask, TaskRecord
from service.model.undecodable import Undecodable
from service.pipeline import Delivery, Dispatcher, Outcome, Result
from service.routing import Router
from service.routing.queue_declarations import Queues
from service.settings import Settings
from service.sources.scan import describe, segments

QUEUE = "tasks"


class Search:
    """A search server with an index and a copy that a rebuild fills."""

    indices = SimpleNamespace(
        get_alias=lambda index: {
            "items-000001": {"aliases": {"items": {}}},
            "items-000002": {"aliases": {"items--also": {}}},
            "items-000009": {"aliases": {}},
            "customers": {"aliases": {}},
        }
    )


class World:
    """A table of ten items, a queue, and a service whose routes write to models. `now` is its clock."""

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
        self.context = Context(
            Settings(task_queue=QUEUE, export_prefix="s3://exports/"), search=Search(), **clients
        )
        self.bench = Bench(Items(), Uploads(), context=self.context, clock=time.time)
        self.settings = self.context.settings
        self.letters = self.bench.letters
        self.router = Router([Items(), Uploads()])
        self.now = 0.0
        self.inside: list[tuple[str, str]] = []
        self.hinted: list[bool] = []
        self.worker = TaskWorker(self, self.bench.dispatcher, lambda: self.now)

    def loader_of(self, routes: Sequence[Any], reread: bool = False) -> Dispatcher:
        self.hinted.append(reread)
        return self.bench.dispatcher

    def into(self, index: str, other: str, letters: Any) -> World:
        self.inside.append((index, other))
        return self

    @property
    def route(self) -> str:
        (name,) = [bound.name for bound in self.router.bound if bound.index]
        return str(name)

    def waiting(self) -> list[dict[str, Any]]:
        """Receive and delete the messages of the queue, and return their bodies."""
        found = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found]

    def work(self, *payloads: Mapping[str, Any], deadline: Deadline = NO_DEADLINE) -> list[Result]:
        """Run the worker on messages of the task queue, and return the results."""
        carried = Queues(self.settings, self.router).carried(QUEUE)
        batch = [carried.judged(record) for record in records(*payloads)]
        return list(self.worker.run(Delivery(batch, "queue", deadline=deadline)).results)

    def task(self, **what: Any) -> dict[str, Any]:
        """Return a task with one segment: the whole table."""
        return replace(BackfillTask("images", (self.route,), segments=1), **what).payload

    def ids(self) -> list[str]:
        """Return the item ids in scan order."""
        return [item["id"]["S"] for item in self.context.dynamodb.scan(TableName="images")["Items"]]

    @property
    def indexed(self) -> int:
        return len(self.bench.documents)

    def is_slow(self) -> None:
        """Make each page use up the time that the worker has for one batch."""

        def loader_of(routes: Sequence[Any], reread: bool = False) -> Any:
            def run(delivery: Delivery) -> Any:
                self.now += working.AT_A_TIME
                return self.bench.dispatcher.run(delivery)

            return SimpleNamespace(run=run)

        self.loader_of = loader_of  # type: ignore[method-assign]


class Tenants(Items):
    table: ClassVar = "tenant-*"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        yield World(monkeypatch)


def test_a_task_says_the_same_once_it_is_read():
    task = BackfillTask("t", ("a:B",), 3, 4, 0.5, "s3://b/k", "arn", 1.5, "i", "i-000002", "17")
    assert BackfillTask.read(json.loads(json.dumps(task.payload))) == task


def test_the_segments_of_a_table_are_put_on_a_queue_and_are_the_whole_table_when_worked_off(world: World):
    table = describe(world.context, "images")
    bound = [one for one in world.router.bound if one.index]
    assert TaskQueue(world, QUEUE).send(table, bound, Scan(segments=23), [], ("", "")) == 23
    seen = 0
    while payloads := world.waiting():
        assert {result.outcome for result in world.work(*payloads)} == {Outcome.APPLIED}
        seen += len(payloads)
    assert (seen, world.indexed) == (23, 10)


def test_a_fifo_queue_and_one_that_is_not_there_are_refused(world: World):
    world.settings = replace(world.settings, task_queue="")
    with pytest.raises(SettingsError, match="FIFO"):
        TaskQueue(world, "tasks.fifo")
    world.sqs.delete_queue(QueueUrl=world.url)
    with pytest.raises(Halt, match="tasks does not exist"):
        TaskQueue(world, QUEUE)


def test_a_task_is_read_to_its_end_while_there_is_time(world: World):
    (result,) = world.work(world.task())
    assert (result.outcome, world.indexed, world.waiting()) == (Outcome.APPLIED, 10, [])


def test_what_is_left_after_a_while_goes_back_to_the_queue_and_is_gone_on_with(world: World):
    world.is_slow()
    (result,) = world.work(world.task())
    assert (result.outcome, world.indexed) == (Outcome.APPLIED, 2)
    (rest,) = world.waiting()
    assert rest["after"]
    world.work(rest)
    assert world.indexed == 4


def test_each_task_of_a_batch_moves_on_however_many_there_are(world: World):
    world.is_slow()
    world.work(*(world.task(segments=5, segment=number) for number in range(5)))
    read = {write.id for write in world.bench.index.sent}
    assert len(read) >= 5, "of each segment a page, where one has any items"


def test_changes_among_them_are_dispatched_first(world: World):
    """A Lambda event can contain tasks and changes."""
    (task, pointer) = records(world.task(), {"bucket": "images-in", "key": "a.jpg"})
    report = world.worker.run(Delivery([replace(task, queue=QUEUE), pointer], "lambda sqs"))
    assert [result.outcome for result in report.results] == [Outcome.APPLIED, Outcome.APPLIED]
    assert [write.target for write in world.bench.table.sent] == ["images"]


def test_read_units_are_kept_to_by_waiting_in_the_queue(world: World, monkeypatch: pytest.MonkeyPatch):
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(world.sqs, "send_message", lambda **message: sent.append(message))
    world.work(world.task(units=0.25))
    assert world.indexed == 2
    (message,) = sent
    assert message["DelaySeconds"] >= 2, "a page costs a half unit at least"


class Parent:
    """The context of a Lambda with `seconds` left."""

    def __init__(self, seconds: float):
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> float:
        return self._seconds * 1000


def test_a_page_is_not_begun_where_a_lambda_has_no_time_for_it(world: World):
    (result,) = world.work(world.task(), deadline=Deadline(lambda: 5.0))
    assert (result.outcome, world.indexed) == (Outcome.RETRY, 0)
    assert world.work(world.task(), deadline=Deadline(lambda: 60.0))[0].outcome is Outcome.APPLIED


def test_what_is_not_done_comes_again_and_pages_before_it_are_kept(world: World):
    busy = world.ids()[3]
    world.bench.index.forced[busy] = [Result(Outcome.RETRY, "429")] * 2
    (result,) = world.work(world.task())
    assert (result.outcome, world.indexed) == (Outcome.APPLIED, 3)
    (rest,) = world.waiting()
    (result,) = world.work(rest)
    assert (result.outcome, result.reason, world.waiting()) == (Outcome.RETRY, "429", [])
    (result,) = world.work(rest)
    assert (result.outcome, world.indexed) == (Outcome.APPLIED, 10)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"streamdex-task": 99}, "supports format 1"),
        ({"streamdex-task": True}, "supports format 1"),
        ({"routes": ["gone:Gone"]}, "gone:Gone"),
        ({"routes": []}, "no route"),
        ({"table": "nowhere"}, "does not fill an index from"),
        ({"index": "items", "into": "customers"}, "not a copy of items"),
        ({"index": "items", "into": "items-000009"}, "not a copy of items"),
        (
            {"file": "s3://exports/x.json.gz", "export": "arn:aws:dynamodb:x:1:table/images"},
            "no longer exists",
        ),
    ],
)
def test_what_nobody_can_work_off_is_kept_with_its_reason(world: World, change: dict[str, Any], reason: str):
    payload = {**world.task(), **change}
    (result,) = world.work(payload)
    assert result.outcome is Outcome.REJECTED
    (letter,) = world.letters.letters
    assert reason in letter.result.reason
    assert isinstance(letter.record, Undecodable)
    assert letter.record.raw == payload


def test_a_missing_table_of_a_route_halts(world: World):
    world.context.dynamodb.delete_table(TableName="images")
    with pytest.raises(Halt, match="images does not exist"):
        world.work(world.task())


def test_a_missing_table_that_only_a_pattern_fits_is_the_fault_of_its_task(world: World):
    world.router = Router([Tenants()])
    (result,) = world.work(world.task(table="tenant-gone"))
    assert (result.outcome, "tenant-gone does not exist" in result.reason) == (Outcome.REJECTED, True)


def test_a_task_that_lacks_something_is_kept(world: World):
    payload = world.task()
    del payload["table"]
    (result,) = world.work(payload)
    assert (result.outcome, "has no table or no routes" in result.reason) == (Outcome.REJECTED, True)


def test_a_task_that_no_task_queue_delivered_is_kept(world: World):
    (record,) = records(world.task())
    assert isinstance(record, TaskRecord)
    for dispatcher in (world.bench.dispatcher, world.worker):
        (result,) = dispatcher.run(Delivery([record], "replay")).results
        assert result.outcome is Outcome.REJECTED
        assert "only from the queue that STREAMDEX_TASK_QUEUE names" in result.reason
    assert world.indexed == 0


@pytest.mark.parametrize("copy", ["items-000001", "items-000002"])
def test_a_task_of_a_rebuild_goes_to_the_index_or_its_copy(world: World, copy: str):
    world.work(world.task(index="items", into=copy))
    assert world.inside == [("items", copy)]
    world.work(world.task(index="items", into=copy))
    assert len(world.inside) == 1, "made once"


def test_no_task_is_sent_that_no_worker_would_accept(world: World):
    table = describe(world.context, "images")
    bound = [one for one in world.router.bound if one.index]
    file = SimpleNamespace(name="/tmp/one.json.gz", export=SimpleNamespace(table=table.stream, time=None))
    with pytest.raises(SettingsError, match="not under the export prefix s3://exports/"):
        TaskQueue(world, QUEUE).send(table, bound, Scan(), [file], ("", ""))
    with pytest.raises(SettingsError, match="not the task queue tasks"):
        TaskQueue(world, "uploads")
    assert world.waiting() == []
