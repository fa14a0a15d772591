"""Queues of messages for the container and the Lambda handler, and the effects of the service.

The queues, the table and the objects are in moto. The settings are the defaults, except for names.
"""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any, ClassVar

import boto3
import pytest
from fakes import Files

from service import TableRoute
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


class Uploads(Files):
    index: ClassVar = "uploads"


ROUTES = (Items, Others, Uploads)
ITEMS = "message_queues:Items"


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


def task(mark: str = "streamdex-task", **members: Any) -> dict[str, Any]:
    """Return a backfill task with one segment: the whole table."""
    return {mark: 1, "table": "images", "routes": [ITEMS], "segments": 1, **members}
