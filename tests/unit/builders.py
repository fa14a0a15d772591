"""Raw events in the formats of AWS, built from plain values. They are the input of the unit tests."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from service.model.serializer import typed

Raw = dict[str, Any]

CHANGES = "images-queue=table/images,images-queue.fifo=table/images"
"""READ_QUEUE for tests in which the queues of `sqs_message` carry stream records."""


def stream_arn(table: str = "images") -> str:
    return f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/2026-11-22T00:00:00.000"


def stream_record(
    event: str = "INSERT",
    *,
    table: str = "images",
    keys: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
    old: Mapping[str, Any] | None = None,
    sequence: str = "100000000000000000001",
    created: float = 1_700_000_000,
    **extra: Any,
) -> Raw:
    """Return a stream record as in a Lambda event. `extra` has further members of the record itself.

    Without `keys`, the key is the `id` of an image, or "k". Images that are None are omitted.
    """
    image = new if new is not None else old if old is not None else {}
    images = {"Keys": {"id": image.get("id", "k")} if keys is None else keys, "NewImage": new, "OldImage": old}
    return {
        "eventID": f"event-{sequence}",
        "eventName": event,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": created,
            **{name: as_json(typed(values)) for name, values in images.items() if values is not None},
            "SequenceNumber": sequence,
            "SizeBytes": 26,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": stream_arn(table),
        **extra,
    }


def as_json(value: Any) -> Any:
    """Return typed values as in a Lambda event: binary values are base64 text."""
    if isinstance(value, Mapping):
        return {name: as_json(member) for name, member in value.items()}
    if isinstance(value, list):
        return [as_json(member) for member in value]
    return base64.b64encode(bytes(value)).decode() if isinstance(value, bytes | bytearray) else value


def s3_record(
    key: str,
    event: str = "ObjectCreated:Put",
    *,
    bucket: str = "images-in",
    sequencer: str = "0055AED6DCD90281E5",
    size: int = 3,
) -> Raw:
    """Return a record of an S3 event notification. The key is URL-encoded, as in S3."""
    encoded = quote_plus(key, safe="/")
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-11-22T00:00:00.000Z",
        "eventName": event,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {"key": encoded, "size": size, "eTag": "d41d8cd9", "sequencer": sequencer},
        },
    }


def eventbridge(
    key: str,
    detail_type: str = "Object Created",
    *,
    bucket: str = "images-in",
    sequencer: str = "55aed6dcd90281e5",
    size: int = 3,
) -> Raw:
    """Return an S3 event of EventBridge. The key is not encoded, and the sequencer has no leading zeros."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": "000000000000",
        "time": "2026-11-22T00:00:00Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {"key": key, "size": size, "etag": "d41d8cd9", "sequencer": sequencer},
            "reason": "PutObject",
        },
    }


def sqs_message(
    body: Any, message_id: str = "m-1", group: str | None = None, *, queue: str = "images-queue"
) -> Raw:
    """Return an SQS message as in a Lambda event. A body that is no string becomes JSON. `group` makes it FIFO."""
    fifo = {} if group is None else {"MessageGroupId": group, "SequenceNumber": "18849496460467696128"}
    return {
        "messageId": message_id,
        "receiptHandle": f"receipt-{message_id}",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1700000000000", **fifo},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{queue}{'' if group is None else '.fifo'}",
        "awsRegion": "us-east-1",
    }


def sns_notification(message: Any, topic: str = "images-topic") -> Raw:
    """Return the SNS envelope of a message: the body of an SQS message without raw message delivery."""
    return {
        "Type": "Notification",
        "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
        "TopicArn": f"arn:aws:sns:us-east-1:000000000000:{topic}",
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": "2026-11-22T00:00:00.000Z",
    }


def sns_record(message: Any, topic: str = "images-topic") -> Raw:
    """Return an SNS record as in a Lambda event. A message that is not a string becomes JSON."""
    return {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": f"arn:aws:sns:us-east-1:000000000000:{topic}:subscription",
        "Sns": sns_notification(message, topic),
    }


def lambda_event(*records: Raw) -> Raw:
    return {"Records": list(records)}
