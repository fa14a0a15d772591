"""Findings about tables, streams, queues and buckets: each fault is named with a remedy, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from planted import Clinic
from planted_aws import OPEN, drop_bucket, notify, only_creations, redrive, spoil_table

from service.commands.doctor import ERROR, WARNING

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
    clinic.assert_found(plant, expected, words)


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
