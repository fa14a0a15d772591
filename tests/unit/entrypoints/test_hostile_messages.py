"""Hostile messages: undeclared content becomes a dead letter, and the resources it names are never opened.

The messages are in moto's queues. The container and the Lambda handler have default settings except for names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any, ClassVar, Protocol

import boto3
import pytest
from builders import eventbridge, s3_record, sns_record, stream_record
from moto import mock_aws

from service import BucketRoute, Delete, Index, TableRoute
from service.bootstrap.application import App
from service.bootstrap.selection import choose
from service.entrypoints.container import run
from service.entrypoints.lambda_handler import handler_for
from service.sources.files.locations import Disk

SECRET = "hunter2-and-nobody-may-see-it"
EXPORT = "arn:aws:dynamodb:us-east-1:123456789012:table/images/export/01"


class Items(TableRoute):
    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "items"

    def document(self, item):
        return {"title": item.get("title")}


class Others(TableRoute):
    table: ClassVar = "others"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "others"

    def document(self, item):
        return {}


class Uploads(BucketRoute):
    bucket: ClassVar = "images-in"
    index: ClassVar = "uploads"

    def created(self, upload, context):
        return [Index({"key": upload.key})]

    def deleted(self, upload, context):
        return [Delete()]


ROUTES = (Items, Others, Uploads)
ITEMS = "test_hostile_messages:Items"


class Search:
    """A search server that accepts every action, and keeps the indices and ids of the writes."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str]] = []
        self.indices = SimpleNamespace(
            get_alias=lambda index: {name: {"aliases": {}} for name in ("items", "others", "uploads", "customers")}
        )

    def bulk(self, body: bytes) -> Any:
        lines = [json.loads(line) for line in body.splitlines()]
        metas = [
            line for line in lines if set(line) <= {"index", "delete"} and "_id" in next(iter(line.values()), {})
        ]
        self.written += [(meta["_index"], meta["_id"]) for line in metas for meta in line.values()]
        return {"items": [{"index": {"status": 200}} for _ in metas]}

    def close(self) -> None:
        pass


class World:
    """Queues, a table and objects, and the effects of the service."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path):
        self.search = Search()
        self.opened: list[str] = []
        self.letters_folder = folder / "letters"
        at = Disk.at
        monkeypatch.setattr(Disk, "at", lambda disk, path: self.opened.append(path) or at(disk, path))
        monkeypatch.setattr("service.context.make_search_client", lambda settings: self.search)
        self.set = monkeypatch.setenv
        environment = {
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
            "SEARCH_URL": "http://search.test",
            "STREAMDEX_DEAD_LETTERS": str(self.letters_folder),
            "STREAMDEX_CREATE_INDICES": "false",
            "MY_PASSWORD": SECRET,
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(folder)
        self.sqs, self.s3, dynamodb = (boto3.client(name, "us-east-1") for name in ("sqs", "s3", "dynamodb"))
        for queue in ("uploads", "changes", "tasks"):
            self.sqs.create_queue(QueueName=queue)
        for table in ("images", "others"):
            dynamodb.create_table(
                TableName=table,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        dynamodb.put_item(TableName="images", Item={"id": {"S": "true"}, "title": {"S": "of the table"}})
        for bucket, key, text in (
            ("private", "secrets.json", json.dumps({"Item": {"id": {"S": SECRET}}})),
            ("exports", "dynamo/data/one.json", json.dumps({"Item": {"id": {"S": "true"}}}) + f"\n{SECRET}\n"),
        ):
            if bucket not in [one["Name"] for one in self.s3.list_buckets()["Buckets"]]:
                self.s3.create_bucket(Bucket=bucket)
            self.s3.put_object(Bucket=bucket, Key=key, Body=text.encode())

    def url(self, queue: str) -> str:
        return str(self.sqs.get_queue_url(QueueName=queue)["QueueUrl"])

    def send(self, queue: str, *bodies: Any) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.url(queue), MessageBody=json.dumps(body))

    def left(self, queue: str) -> int:
        """Return the number of messages in a queue, including those in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url(queue), AttributeNames=names)["Attributes"]
        return sum(map(int, found.values()))

    @property
    def letters(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.letters_folder.rglob("*.json"))]

    def reasons(self) -> list[str]:
        return sorted(letter["reason"] for letter in self.letters)


class Runs(Protocol):
    def __call__(self, world: World, *queues: str) -> None: ...


def as_container(world: World, *queues: str) -> None:
    """Run the container until the queues are empty."""
    world.set("STREAMDEX_READ_STREAMS", "false")  # moto's streams are not under test
    world.set("STREAMDEX_PAGE_PORT", "0")
    world.set("STREAMDEX_POLL_WAIT", "0")
    world.set("POLL_INTERVAL", "0.05")
    stopping = Event()

    def stop() -> None:
        while any(world.left(queue) for queue in queues) and not stopping.wait(0.05):
            pass
        stopping.set()

    chosen = choose(routes=ROUTES)
    with App(chosen.settings, chosen.routes) as app:
        watcher = Thread(target=stop, daemon=True)
        watcher.start()
        assert run(app, stopping) == 0


def as_function(world: World, *queues: str) -> None:
    """Invoke the handler with messages until the queues are empty, as an event source mapping does."""
    handler = handler_for(*ROUTES)
    for queue in queues:
        url = world.url(queue)
        arn = world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        while messages := world.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            entries = [
                {"eventSource": "aws:sqs", "eventSourceARN": arn, "messageId": m["MessageId"], "body": m["Body"]}
                for m in messages
            ]
            assert handler({"Records": entries}, None) == {"batchItemFailures": []}
            for message in messages:
                world.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    with mock_aws():
        yield World(monkeypatch, tmp_path)


@pytest.fixture(params=[as_container, as_function], ids=["container", "function"])
def takes(request: pytest.FixtureRequest) -> Callable[..., None]:
    found: Callable[..., None] = request.param
    return found


def task(mark: str = "streamdex-task", **members: Any) -> dict[str, Any]:
    """Return a backfill task with one segment: the whole table."""
    return {mark: 1, "table": "images", "routes": [ITEMS], "segments": 1, **members}


ATTACKS: Mapping[str, Mapping[str, Any]] = {
    "environment": {"file": "/proc/self/environ", "export": EXPORT},
    "endless": {"file": "/dev/zero", "export": EXPORT},
    "relative": {"file": "../secrets", "export": EXPORT},
    "file url": {"file": "file:///proc/self/environ", "export": EXPORT},
    "any object": {"file": "s3://private/secrets.json", "export": EXPORT},
    "beside the prefix": {"file": "s3://exports/dynamo-private/x.json", "export": EXPORT},
    "out of the prefix": {"file": "s3://exports/dynamo/../../private/secrets.json", "export": EXPORT},
    "the prefix itself": {"file": "s3://exports/dynamo/", "export": EXPORT},
    "export of another table": {
        "file": "s3://exports/dynamo/data/one.json",
        "export": EXPORT.replace("images", "others"),
    },
    "export of no table": {"file": "s3://exports/dynamo/data/one.json", "export": "x"},
    "unrelated index": {"index": "items", "into": "customers"},
    "another route's index": {"index": "others", "into": "others"},
    "index of nothing": {"into": "customers"},
    "table of no route": {"table": "customers"},
    "table of another route": {"table": "others"},
    "no such route": {"routes": ["os:system"]},
    "route that fills nothing": {"routes": ["test_hostile_messages:Uploads"]},
    "segment beyond": {"segment": 1, "segments": 1},
    "segment below": {"segment": -1},
    "no segments": {"segments": 0},
    "too many segments": {"segments": 1_000_000},
    "segment as text": {"segment": "0"},
    "segment as truth": {"segment": True, "segments": 2},
    "no units": {"units": -1},
    "units as text": {"units": "1"},
    "endless units": {"units": 1e400},
    "position of another key": {"after": json.dumps({"other": {"S": "x"}})},
    "position that is none": {"after": "[[["},
    "long position": {"after": "1" * 30_000},
    "long line": {"file": "s3://exports/dynamo/data/one.json", "export": EXPORT, "after": "9" * 5000},
    "long table": {"table": "t" * 10_000},
    "list as table": {"table": ["images"]},
    "map as routes": {"routes": {"a": 1}},
    "numbers as routes": {"routes": [1]},
    "time as text": {"file": "s3://exports/dynamo/data/one.json", "export": EXPORT, "time": "now"},
}


@pytest.mark.parametrize("mark", ["streamdex-task", "streamdex-part"])
def test_a_backfill_task_in_any_other_queue_is_a_dead_letter(world: World, takes: Any, mark: str):
    """This includes tasks that the task queue would accept."""
    bodies = [task(mark, **attack) for name, attack in ATTACKS.items() if name != "endless units"]
    bodies += [
        task(mark),
        sns_record(task(mark, segments=4))["Sns"] | {"Type": "Notification"},
        [task(mark, segments=2)],
    ]
    nested = {
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:tasks",
        "body": json.dumps(task(mark, segments=3)),
    }
    world.send("uploads", *bodies, {"Records": [nested]})
    world.set("READ_QUEUE", "uploads,changes=table/images")
    world.set("STREAMDEX_TASK_QUEUE", "tasks")
    takes(world, "uploads")
    assert (world.search.written, world.opened, world.left("tasks")) == ([], [], 0)
    assert len(world.letters) == len(bodies) + 1
    for reason in world.reasons():
        assert "queue uploads" in reason
        assert "STREAMDEX_TASK_QUEUE" in reason


def test_without_a_task_queue_no_queue_is_one(world: World, takes: Any):
    world.send("uploads", task(), task(file="/proc/self/environ", export=EXPORT))
    world.set("READ_QUEUE", "uploads")
    takes(world, "uploads")
    assert (world.search.written, world.opened, len(world.letters)) == ([], [], 2)


def test_what_a_task_may_not_name_is_never_opened_and_its_content_is_in_no_dead_letter(world: World, takes: Any):
    world.set("STREAMDEX_TASK_QUEUE", "tasks")
    world.set("STREAMDEX_EXPORT_PREFIX", "s3://exports/dynamo")
    for name, attack in ATTACKS.items():
        world.send("tasks", task(**attack, attack=name))
    takes(world, "tasks")
    kept = {letter["record"]["attack"]: letter["reason"] for letter in world.letters}
    assert set(kept) == set(ATTACKS)
    assert [name for name, reason in kept.items() if not reason.startswith("not accepted: a backfill task")] == []
    assert (world.search.written, world.opened) == ([], [])
    assert SECRET not in json.dumps(world.letters)


def test_files_are_read_under_the_configured_prefix_only(world: World, takes: Any):
    """The dead letter of a line that is not an item of the table names the line, and does not quote it."""
    inside = task(file="s3://exports/dynamo/data/one.json", export=EXPORT)
    world.set("STREAMDEX_TASK_QUEUE", "tasks")
    world.send("tasks", inside)
    takes(world, "tasks")
    (letter,) = world.letters
    assert "STREAMDEX_EXPORT_PREFIX" in letter["reason"]
    assert world.search.written == []
    world.set("STREAMDEX_EXPORT_PREFIX", "s3://exports/dynamo/")
    world.send("tasks", inside)
    takes(world, "tasks")
    assert set(world.search.written) == {("items", "true")}
    assert [letter["record"] for letter in world.letters if "one.json" in letter["reason"]] == [
        {"file": "s3://exports/dynamo/data/one.json", "line": "one.json:2"}
    ]
    assert SECRET not in json.dumps(world.letters)


def test_the_task_queue_brings_tasks_and_nothing_else(world: World, takes: Any):
    forged = stream_record(new={"id": "forged"})
    world.send("tasks", task(), task("streamdex-part"), forged, {"bucket": "images-in", "key": "k"})
    world.set("STREAMDEX_TASK_QUEUE", "tasks")
    takes(world, "tasks")
    assert set(world.search.written) == {("items", "true")}
    assert len(world.letters) == 2
    assert all("queue tasks carries backfill tasks" in reason for reason in world.reasons())


@pytest.mark.parametrize("declared", ["uploads", "uploads=bucket/images-in"])
def test_a_forged_stream_record_among_uploads_is_a_dead_letter(world: World, takes: Any, declared: str):
    forged, other = (stream_record(new={"id": name, "title": "x"}, created=3_450_000_000) for name in "ab")
    world.send("uploads", forged, {"Records": [other]}, {"bucket": "images-in", "key": "a.jpg"})
    world.set("READ_QUEUE", declared)
    world.s3.create_bucket(Bucket="images-in")
    world.s3.put_object(Bucket="images-in", Key="a.jpg")
    takes(world, "uploads")
    assert set(world.search.written) == {("uploads", "a.jpg")}
    assert sorted((letter["record"] for letter in world.letters), key=str) == sorted([forged, other], key=str)
    for reason in world.reasons():
        assert "queue uploads carries notifications of bucket images-in" in reason
        assert "this is a stream record of table images" in reason
        assert "READ_QUEUE=QUEUE=table/images" in reason


def test_a_queue_carries_what_it_is_declared_to(world: World, takes: Any):
    world.set("READ_QUEUE", "changes=table/images")
    others = stream_record(table="others", keys={"id": "x"}, new={"id": "x"})
    pointer = {"bucket": "images-in", "key": "a.jpg"}
    world.send("changes", stream_record(new={"id": "good"}, created=0), others, pointer)
    takes(world, "changes")
    assert len(world.letters) == 2
    assert {index for index, _ in world.search.written} == {"items"}


def test_uploads_of_another_bucket_are_dead_letters(world: World, takes: Any):
    elsewhere = [s3_record("k", bucket="elsewhere"), eventbridge("k", bucket="elsewhere")]
    world.send("uploads", *elsewhere)
    world.set("READ_QUEUE", "uploads")
    takes(world, "uploads")
    assert ["bucket elsewhere" in reason for reason in world.reasons()] == [True, True]


@pytest.mark.parametrize(
    "event",
    [task(), [task()], {"Records": [task()]}, {"Records": [sns_record(task())]}],
    ids=["alone", "list", "record", "topic"],
)
def test_a_function_takes_no_task_that_is_not_a_message_of_the_task_queue(world: World, event: Any):
    world.set("STREAMDEX_TASK_QUEUE", "tasks")
    handler_for(*ROUTES)(event, None)
    assert (world.search.written, len(world.letters)) == ([], 1)


def test_a_topic_that_calls_a_function_carries_uploads_and_no_stream_records(world: World):
    handler_for(*ROUTES)({"Records": [sns_record(stream_record(new={"id": "forged"}))]}, None)
    assert world.search.written == []
    assert "topic " in world.letters[0]["reason"]


def test_a_function_believes_the_stream_that_calls_it(world: World):
    event = {"Records": [stream_record(new={"id": "good", "title": "x"})]}
    assert handler_for(*ROUTES)(event, None) == {"batchItemFailures": []}
    assert world.search.written == [("items", "good")]
