"""Changes of the healthy deployment in moto that the doctor should find: tables, queues and buckets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from planted import Clinic


def make_table(
    clinic: Clinic,
    name: str,
    key: Mapping[str, str],
    view: str = "NEW_AND_OLD_IMAGES",
    **indexes: Mapping[str, str],
) -> None:
    """Create a table; without a stream if `view` is "". `indexes` are the keys of its secondary indexes."""
    stream = {"StreamEnabled": True, "StreamViewType": view} if view else {"StreamEnabled": False}
    types = dict(item for one in (key, *indexes.values()) for item in one.items())
    made = [
        {
            "IndexName": index.replace("_", "-"),
            "KeySchema": schema_of(of_index),
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
        for index, of_index in indexes.items()
    ]
    clinic.context.dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": kind} for n, kind in types.items()],
        KeySchema=schema_of(key),
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification=stream,
        **({"GlobalSecondaryIndexes": made} if made else {}),
    )


def schema_of(key: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": n, "KeyType": k} for n, k in zip(key, ("HASH", "RANGE"), strict=False)]


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
