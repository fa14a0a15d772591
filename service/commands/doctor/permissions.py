"""Check the service's AWS permissions with requests that change nothing.

They read missing items and objects, and write on conditions that never hold. Receiving and sending are not tried:
each receive counts as a delivery of the message, and a message that is sent stays in the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ...routing import BucketRoute
from .findings import Finding, each
from .patient import DoctorContext
from .queues import attributes_of
from .stores import POSITIONS, PROBE
from .tables import described, key_of

VALUES: Final[Mapping[str, Any]] = {"S": PROBE, "N": "0", "B": PROBE.encode()}

REFUSED: Final = ("ConditionalCheckFailedException",)
"""The error code of a write whose condition does not hold. A missing permission is reported before that."""

NO_HANDLE: Final = ("InvalidAddress", "InvalidParameterValue", "MessageNotInflight", "ReceiptHandleIsInvalid")
"""The error codes for an invalid receipt handle."""

TRIMMED: Final = "TrimmedDataAccessException"


def check(patient: DoctorContext) -> Iterator[Finding]:
    yield from each(lambda table: _listened(patient, table), patient.tables())
    yield from each(lambda table: _written(patient, table), patient.written_tables())
    yield from each(lambda found: _bucket(patient, *found), patient.buckets().items())
    yield from each(lambda queue: _queue(patient, queue), patient.queues())
    kind, _, table = patient.settings.checkpoints.partition("://")
    if kind == "dynamodb" and patient.tables():
        yield from each(lambda table: _positions(patient, table), [table])


def _listened(patient: DoctorContext, table: str) -> Iterator[Finding]:
    description = described(patient, table)
    if description is None:
        return
    asking, subject = patient.aws.asking, f"table {table}"
    wanted = {table: {"Keys": [probe_key(key_of(description))], "ConsistentRead": True}}
    requests = [asking("dynamodb", "batch_get_item", subject, RequestItems=wanted)]
    if patient.settings.on_gap == "verify":  # otherwise only operators' commands scan
        requests.append(asking("dynamodb", "scan", subject, TableName=table, Limit=1, Select="COUNT"))
    if (description.get("StreamSpecification") or {}).get("StreamEnabled"):
        requests.append(asking("dynamodb_streams", "list_streams", subject, TableName=table))
        requests.append(lambda: _read_stream(patient, table, description["LatestStreamArn"]))
    yield from patient.aws.tried(requests)


def _read_stream(patient: DoctorContext, table: str, arn: str) -> None:
    """Read a stream, each request with the previous answer. Raises Trouble."""
    subject = f"stream of table {table}"
    answer = patient.aws.ask("dynamodb_streams", "describe_stream", subject, StreamArn=arn, Limit=1) or {}
    for shard in answer.get("StreamDescription", {}).get("Shards", [])[:1]:
        place = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        found = patient.aws.ask("dynamodb_streams", "get_shard_iterator", subject, fine=[TRIMMED], **place)
        if found:
            page = {"ShardIterator": found["ShardIterator"], "Limit": 1}
            patient.aws.ask("dynamodb_streams", "get_records", subject, fine=[TRIMMED], **page)


def _written(patient: DoctorContext, table: str) -> Iterator[Finding]:
    description = described(patient, table)
    if description is not None:
        yield from patient.aws.tried(impossible_writes(patient, table, key_of(description)))


def impossible_writes(patient: DoctorContext, table: str, key: Mapping[str, str]) -> list[Callable[[], Any]]:
    """Return requests that put, update and delete an item on a condition that never holds."""
    asking, subject, probe = patient.aws.asking, f"table {table}", probe_key(key)
    never = {
        "TableName": table,
        "ConditionExpression": "attribute_exists(#key) AND attribute_not_exists(#key)",
        "ExpressionAttributeNames": {"#key": next(iter(key))},
    }
    return [
        asking("dynamodb", "put_item", subject, fine=REFUSED, Item=probe, **never),
        asking("dynamodb", "update_item", subject, fine=REFUSED, Key=probe, **never),
        asking("dynamodb", "delete_item", subject, fine=REFUSED, Key=probe, **never),
    ]


def probe_key(key: Mapping[str, str]) -> dict[str, Any]:
    """Return a key in DynamoDB JSON that no item is expected to have."""
    return {name: {kind: VALUES[kind]} for name, kind in key.items()}


def _positions(patient: DoctorContext, table: str) -> Iterator[Finding]:
    description = described(patient, table)
    if description is None or key_of(description) != POSITIONS:
        return
    asking, subject, probe = patient.aws.asking, f"table {table}", probe_key(POSITIONS)
    query = {
        "TableName": table,
        "KeyConditionExpression": "#stream = :stream",
        "ExpressionAttributeNames": {"#stream": "stream"},  # a reserved word
        "ExpressionAttributeValues": {":stream": probe["stream"]},
    }
    yield from patient.aws.tried(
        [
            asking("dynamodb", "get_item", subject, TableName=table, Key=probe),
            asking("dynamodb", "query", subject, **query),
            *impossible_writes(patient, table, POSITIONS),
        ]
    )


def _bucket(patient: DoctorContext, bucket: str, routes: list[BucketRoute]) -> Iterator[Finding]:
    asking, subject = patient.aws.asking, f"bucket {bucket}"
    if patient.aws.ask("s3", "head_bucket", subject, Bucket=bucket) is not None:
        keys = dict.fromkeys(f"{route.prefix}{PROBE}{route.suffix}" for route in routes)
        yield from patient.aws.tried(
            [asking("s3", "head_object", subject, Bucket=bucket, Key=key) for key in keys]
        )
        of_rows = [route for route in routes if "database" in route.writes]
        yield from patient.aws.tried(
            [
                asking(
                    "s3",
                    "head_object",
                    subject,
                    Bucket=bucket,
                    Key=f"{route.prefix}{PROBE}{route.suffix}",
                    VersionId="null",  # the version id of objects that were stored without versioning
                    fine=["400"],
                )
                for route in of_rows
            ]
        )


def _queue(patient: DoctorContext, queue: str) -> Iterator[Finding]:
    attributes = attributes_of(patient, queue)
    if attributes is None:
        return
    asking, subject = patient.aws.asking, f"queue {queue}"
    message = {"QueueUrl": attributes["QueueUrl"], "ReceiptHandle": PROBE}
    put_off = {**message, "VisibilityTimeout": 0}
    yield from patient.aws.tried(
        [
            asking("sqs", "delete_message", subject, fine=NO_HANDLE, **message),
            asking("sqs", "change_message_visibility", subject, fine=NO_HANDLE, **put_off),
        ]
    )
