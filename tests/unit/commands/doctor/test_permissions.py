"""Findings about missing permissions, with requests that leave no trace."""

from __future__ import annotations

import re
from typing import Any

import pytest
from planted import Clinic
from planted_aws import make_table

from service.commands.doctor import ERROR, NOTE

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
