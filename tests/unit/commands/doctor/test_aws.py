"""Findings about tables, streams, queues and buckets: each fault is named with a remedy, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest
from planted import Clinic

from service.commands.doctor import ERROR, NOTE, WARNING
from service.context import Context
from service.model import Item, TableRecord
from service.routing import Action, Delete, Document, Index, TableRoute


def make_table(clinic: Clinic, name: str, key: Mapping[str, str], view: str = "NEW_AND_OLD_IMAGES") -> None:
    """Create a table; without a stream if `view` is ""."""
    stream = {"StreamEnabled": True, "StreamViewType": view} if view else {"StreamEnabled": False}
    clinic.context.dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": kind} for n, kind in key.items()],
        KeySchema=[{"AttributeName": n, "KeyType": k} for n, k in zip(key, ("HASH", "RANGE"), strict=False)],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification=stream,
    )


def spoil_table(view: str = "NEW_AND_OLD_IMAGES", kind: str = "S") -> Callable[[Clinic], None]:
    """Replace the table of images. `view` is the view type of its stream, `kind` the type of its key."""

    def spoil(clinic: Clinic) -> None:
        clinic.context.dynamodb.delete_table(TableName="images")
        make_table(clinic, "images", {"id": kind}, view)

    return spoil


OPEN = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}


def redrive(**changes: Any) -> Callable[[Clinic], None]:
    """Change members of the redrive policy of the queue."""

    def spoil(clinic: Clinic) -> None:
        attributes = clinic.context.sqs.get_queue_attributes(
            QueueUrl=clinic.queue("uploads"), AttributeNames=["All"]
        )
        policy = json.loads(attributes["Attributes"]["RedrivePolicy"]) | changes
        clinic.set_queue("uploads", RedrivePolicy=json.dumps(policy))

    return spoil


def notify(configuration: dict[str, Any]) -> Callable[[Clinic], None]:
    def spoil(clinic: Clinic) -> None:
        clinic.context.s3.put_bucket_notification_configuration(
            Bucket="images-in", NotificationConfiguration=configuration
        )

    return spoil


def drop_bucket(clinic: Clinic) -> None:
    clinic.context.s3.delete_bucket(Bucket="images-in")


def only_creations(clinic: Clinic) -> None:
    arn = "arn:aws:sqs:us-east-1:123456789012:uploads"
    notify({"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]})(clinic)


PLANTED: list[tuple[str, Callable[[Clinic], Any], tuple[str, str, str], str]] = [
    (
        "a table that is not there",
        lambda clinic: clinic.context.dynamodb.delete_table(TableName="images"),
        ("table", "table images", ERROR),
        "does not exist",
    ),
    ("a stream that is off", spoil_table(""), ("stream", "table images", ERROR), "not enabled"),
    (
        "a stream without new images",
        spoil_table("KEYS_ONLY"),
        ("view", "table images", WARNING),
        "the service reads each item of images:Images",
    ),
    (
        "a stream with old images alone",
        spoil_table("OLD_IMAGE"),
        ("view", "table images", WARNING),
        "OLD_IMAGE",
    ),
    (
        "another key than declared",
        spoil_table(kind="N"),
        ("key", "table images", ERROR),
        "id (N), but images:Images declares",
    ),
    (
        "a queue that everybody may send to",
        lambda clinic: clinic.set_queue("uploads", Policy=json.dumps({"Statement": [OPEN]})),
        ("senders", "queue uploads", WARNING),
        "any principal",
    ),
    (
        "a queue that is not there",
        lambda clinic: clinic.change(read_queue=("uploads", "downloads")),
        ("queue", "queue downloads", ERROR),
        "does not exist",
    ),
    (
        "a visibility timeout that is too short for retries",
        lambda clinic: clinic.set_queue("uploads", VisibilityTimeout="10"),
        ("queue", "queue uploads", WARNING),
        "10 s",
    ),
    (
        "a queue without a redrive policy",
        lambda clinic: clinic.set_queue("uploads", RedrivePolicy=""),
        ("queue", "queue uploads", WARNING),
        "no redrive policy",
    ),
    (
        "a message that is given up too soon",
        redrive(maxReceiveCount=2),
        ("queue", "queue uploads", WARNING),
        "after 2 deliveries",
    ),
    (
        "a dead-letter queue that is not there",
        lambda clinic: clinic.context.sqs.delete_queue(QueueUrl=clinic.queue("uploads-failed")),
        ("queue", "queue uploads", ERROR),
        "uploads-failed does not exist",
    ),
    (
        "a dead-letter queue that forgets as soon as its queue",
        lambda clinic: clinic.set_queue("uploads-failed", MessageRetentionPeriod="345600"),
        ("queue", "queue uploads-failed", WARNING),
        "no longer than uploads",
    ),
    ("a bucket that is not there", drop_bucket, ("bucket", "bucket images-in", ERROR), "does not exist"),
    ("a bucket that tells nobody", notify({}), ("bucket", "bucket images-in", WARNING), "none of the queues"),
    (
        "a bucket that does not tell of deletions",
        only_creations,
        ("bucket", "bucket images-in", WARNING),
        "ObjectRemoved",
    ),
]


@pytest.mark.parametrize(("plant", "expected", "words"), [p[1:] for p in PLANTED], ids=[p[0] for p in PLANTED])
def test_each_fault_is_named_alone(clinic: Clinic, plant, expected, words):
    plant(clinic)
    (found,) = clinic.findings()
    assert (found.topic, found.subject, found.severity) == expected
    assert words in found.problem
    assert found.remedy


def test_a_bucket_whose_events_take_another_way_is_left_alone(clinic: Clinic):
    function = "arn:aws:lambda:us-east-1:123456789012:function:elsewhere"
    told = [{"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}]
    notify({"LambdaFunctionConfigurations": told})(clinic)
    assert clinic.findings() == []


def test_a_fifo_queue_may_keep_its_dead_letters_as_long_as_its_messages(clinic: Clinic):
    for name in ("given-up.fifo", "uploads.fifo"):
        clinic.context.sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})
    policy = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:given-up.fifo", "maxReceiveCount": 5}
    clinic.set_queue("uploads.fifo", RedrivePolicy=json.dumps(policy))
    clinic.change(read_queue=("uploads", "uploads.fifo"))
    assert clinic.findings() == []


class Reading(TableRoute):
    """A route whose methods read images."""

    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "images"

    def document(self, item: Item) -> Document:
        return {}

    def modify(self, record: TableRecord, context: Context) -> list[Action]:
        return [Index({"then": record.old, "now": record.new})]

    def remove(self, record: TableRecord, context: Context) -> list[Action]:
        return [Delete() for _ in range(1) if record.old is not None]


class Blind(Reading):
    """A route whose methods read no images."""

    def modify(self, record: TableRecord, context: Context) -> list[Action]:
        return [Index({"id": record.keys["id"]})]

    def remove(self, record: TableRecord, context: Context) -> list[Action]:
        return [Delete()]


@pytest.mark.parametrize(
    ("route", "view", "said"),
    [
        (Reading(), "NEW_IMAGE", ["warning: record.old is None in modify() and remove()"]),
        (Reading(), "OLD_IMAGE", ["warning: reads each item", "error: record.new is None in modify()"]),
        (Blind(), "NEW_IMAGE", []),
        (Blind(), "OLD_IMAGE", ["warning: reads each item"]),
    ],
)
def test_what_methods_read_is_held_against_what_the_stream_holds(clinic: Clinic, route, view, said):
    clinic.serve(route)
    spoil_table(view)(clinic)
    found = [f"{f.severity}: {f.problem}" for f in clinic.findings() if f.topic == "view"]
    assert len(found) == len(said)
    for words, problem in zip(said, found, strict=True):
        severity, _, middle = words.partition(": ")
        assert problem.startswith(severity)
        assert middle in problem


class Fetched(Reading):
    fetch: ClassVar = True

    def remove(self, record: TableRecord, context: Context) -> list[Action]:
        return [Delete()]

    def modify(self, record: TableRecord, context: Context) -> list[Action]:
        return [Index({"now": record.new})]


def test_a_route_that_fetches_needs_no_images(clinic: Clinic):
    clinic.serve(Fetched())
    spoil_table("KEYS_ONLY")(clinic)
    assert clinic.findings() == []


class Tenants(Blind):
    table: ClassVar = "tenant-*"


def test_tables_that_a_pattern_finds_are_looked_at_unless_the_service_leaves_them_out(clinic: Clinic):
    clinic.serve(Tenants())
    (nothing,) = clinic.findings()
    assert (nothing.topic, nothing.subject, nothing.severity) == ("table", "tables tenant-*", WARNING)
    make_table(clinic, "tenant-a", {"id": "N"}, "NEW_IMAGE")
    make_table(clinic, "tenant-b", {"id": "S"}, "")
    (key,) = clinic.findings()
    assert (key.topic, key.subject) == ("key", "table tenant-a")


READS = [
    ("dynamodb.DescribeTable", "dynamodb:DescribeTable", "table images"),
    ("dynamodb.BatchGetItem", "dynamodb:BatchGetItem", "table images"),
    ("dynamodb.PutItem", "dynamodb:PutItem", "table images"),
    ("dynamodb.UpdateItem", "dynamodb:UpdateItem", "table images"),
    ("dynamodb.DeleteItem", "dynamodb:DeleteItem", "table images"),
    ("dynamodb-streams.ListStreams", "dynamodb:ListStreams", "table images"),
    ("dynamodb-streams.DescribeStream", "dynamodb:DescribeStream", "stream of table images"),
    ("dynamodb-streams.GetShardIterator", "dynamodb:GetShardIterator", "stream of table images"),
    ("dynamodb-streams.GetRecords", "dynamodb:GetRecords", "stream of table images"),
    ("s3.HeadBucket", "s3:ListBucket", "bucket images-in"),
    ("s3.HeadObject", "s3:GetObject", "bucket images-in"),
    ("sqs.GetQueueUrl", "sqs:GetQueueUrl", "queue uploads"),
    ("sqs.GetQueueAttributes", "sqs:GetQueueAttributes", "queue uploads"),
    ("sqs.DeleteMessage", "sqs:DeleteMessage", "queue uploads"),
    ("sqs.ChangeMessageVisibility", "sqs:ChangeMessageVisibility", "queue uploads"),
]


@pytest.mark.parametrize(("operation", "action", "subject"), READS, ids=[read[1] for read in READS])
def test_each_permission_that_is_missing_is_named(clinic: Clinic, operation, action, subject):
    clinic.deny(operation)
    (found,) = clinic.findings()
    assert (found.topic, found.subject, found.severity) == ("permissions", subject, ERROR)
    assert found.problem == f"{action} is denied"
    assert "--policy" in found.remedy


def test_what_only_the_doctor_asks_for_is_no_fault_of_the_service(clinic: Clinic):
    clinic.deny("s3.GetBucketNotificationConfiguration")
    (found,) = clinic.findings()
    assert found.severity == NOTE
    assert found.problem == "not checked: s3:GetBucketNotification is denied"


@pytest.mark.parametrize("operation", ["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"])
def test_permissions_for_positions_are_tried_too(clinic: Clinic, operation):
    clinic.change(checkpoints="dynamodb://positions")
    make_table(clinic, "positions", {"stream": "S", "shard": "S"}, "")
    assert clinic.findings() == []
    clinic.deny(f"dynamodb.{operation}")
    found = [finding.problem for finding in clinic.findings() if finding.subject == "table positions"]
    assert found == [f"dynamodb:{operation} is denied"]


def test_no_expression_has_a_reserved_word(clinic: Clinic):
    """AWS rejects reserved words, moto does not. `stream`, the key of the checkpoint table, is one."""
    clinic.change(checkpoints="dynamodb://positions")
    make_table(clinic, "positions", {"stream": "S", "shard": "S"}, "")
    expressions: list[str] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        expressions.extend(value for name, value in params.items() if name.endswith("Expression"))

    events = clinic.clients.dynamodb.meta.events
    events.register("provide-client-params.dynamodb", note, unique_id="note")
    try:
        assert clinic.findings() == []
    finally:
        events.unregister("provide-client-params.dynamodb", unique_id="note")
    assert "#stream = :stream" in expressions
    words = {word for text in expressions for word in re.findall(r"[#:]?\w+", text)}
    assert {word for word in words if word[0] not in "#:"} == {"attribute_exists", "attribute_not_exists", "AND"}


def test_scanning_is_tried_only_where_the_service_itself_would(clinic: Clinic):
    clinic.deny("dynamodb.Scan")
    assert clinic.findings() == []
    clinic.change(on_gap="verify")
    (found,) = clinic.findings()
    assert (found.subject, found.problem) == ("table images", "dynamodb:Scan is denied")


def test_a_table_of_positions_with_another_key_is_named(clinic: Clinic):
    clinic.change(checkpoints="dynamodb://positions")
    make_table(clinic, "positions", {"id": "S"}, "")
    (found,) = clinic.findings()
    assert (found.topic, found.subject) == ("checkpoints", "table positions")
    assert "stream (S), shard (S)" in found.problem


def test_looking_leaves_no_trace(clinic: Clinic, tmp_path):
    clinic.change(checkpoints="dynamodb://positions", dead_letters="s3://images-in/letters")
    make_table(clinic, "positions", {"stream": "S", "shard": "S"}, "")
    assert clinic.findings() == []
    world = clinic.context
    assert [world.dynamodb.scan(TableName=name)["Count"] for name in ("images", "positions")] == [0, 0]
    assert "Contents" not in world.s3.list_objects_v2(Bucket="images-in")
    (stream,) = world.dynamodb_streams.list_streams(TableName="images")["Streams"]
    description = world.dynamodb_streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]
    place = {"ShardId": description["Shards"][0]["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    iterator = world.dynamodb_streams.get_shard_iterator(StreamArn=stream["StreamArn"], **place)["ShardIterator"]
    assert world.dynamodb_streams.get_records(ShardIterator=iterator)["Records"] == []
    messages = world.sqs.receive_message(QueueUrl=clinic.queue("uploads"))  # S3's own test event for the bucket
    assert all("TestEvent" in message["Body"] or "letters" in message["Body"] for message in messages["Messages"])
    assert list(tmp_path.iterdir()) == []
