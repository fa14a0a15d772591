"""Check the service's AWS permissions with requests that change nothing.

They read missing items and objects, and write on conditions that never hold. Receiving and sending are not tried:
each receive counts as a delivery of the message, and a message that is sent stays in the queue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...model.dynamodb_json import read_item
from ...routing import BucketRoute
from ...table_reads import query_of
from .findings import Finding
from .patient import DoctorContext
from .stores import POSITIONS, PROBE
from .tables import ACTIVE, READY, indexes_of, key_of

VALUES: Final[Mapping[str, Any]] = {"S": PROBE, "N": "0", "B": PROBE.encode()}

REFUSED: Final = ("ConditionalCheckFailedException",)
"""The error code of a write whose condition does not hold. A missing permission is reported before that."""

NO_HANDLE: Final = ("InvalidAddress", "InvalidParameterValue", "MessageNotInflight", "ReceiptHandleIsInvalid")
"""The error codes for an invalid receipt handle."""

TRIMMED: Final = "TrimmedDataAccessException"


def check_listened(patient: DoctorContext, table: str) -> Iterator[Finding]:
    description = patient.described(table)
    if description is None:
        return
    trying, subject = patient.aws.trying, f"table {table}"
    kinds = {bound.collection for bound in patient.tables[table]}
    yield from trying("dynamodb", subject, **_reads(table, description, items=False in kinds, query=True in kinds))
    if patient.settings.on_gap == "verify":  # otherwise only operators' commands scan
        yield from trying("dynamodb", subject, scan={"TableName": table, "Limit": 1, "Select": "COUNT"})
    if (description.get("StreamSpecification") or {}).get("StreamEnabled"):
        yield from trying("dynamodb_streams", subject, list_streams={"TableName": table})
        _read_stream(patient, table, description["LatestStreamArn"])


def _reads(
    table: str, description: Mapping[str, Any], items: bool = True, query: bool = True
) -> dict[str, Mapping[str, Any]]:
    """Return the requests that read a table: its items by their keys, and those of a partition."""
    key = probe_key(key_of(description))
    wanted = {table: {"Keys": [key], "ConsistentRead": True}}
    return {
        **({"batch_get_item": {"RequestItems": wanted}} if items else {}),
        **({"query": query_of(table, read_item(key))} if query else {}),
    }


def check_read(patient: DoctorContext, table: str) -> Iterator[Finding]:
    """Try to read what routes declare in `reads`."""
    description, readable = patient.described(table), patient.router.readable[table]
    if description is None:
        return
    trying = patient.aws.trying
    if readable.itself:
        yield from trying("dynamodb", f"table {table}", **_reads(table, description))
    found = indexes_of(description)
    for index in sorted(readable.indexes & found.keys()):
        if found[index].get("IndexStatus", ACTIVE) in READY:
            of_index = {**description, "KeySchema": found[index]["KeySchema"]}
            request = query_of(table, read_item(probe_key(key_of(of_index))), index)
            yield from trying("dynamodb", f"secondary index {index} of table {table}", query=request)


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


def check_written(patient: DoctorContext, table: str) -> Iterator[Finding]:
    description = patient.described(table)
    if description is not None:
        yield from _impossible_writes(patient, table, key_of(description))


def _impossible_writes(patient: DoctorContext, table: str, key: Mapping[str, str]) -> Iterator[Finding]:
    """Put, update and delete an item on a condition that never holds."""
    probe = probe_key(key)
    never = {
        "TableName": table,
        "ConditionExpression": "attribute_exists(#key) AND attribute_not_exists(#key)",
        "ExpressionAttributeNames": {"#key": next(iter(key))},
    }
    return patient.aws.trying(
        "dynamodb",
        f"table {table}",
        fine=REFUSED,
        put_item={"Item": probe, **never},
        update_item={"Key": probe, **never},
        delete_item={"Key": probe, **never},
    )


def probe_key(key: Mapping[str, str]) -> dict[str, Any]:
    """Return a key in DynamoDB JSON that no item is expected to have."""
    return {name: {kind: VALUES[kind]} for name, kind in key.items()}


def check_positions(patient: DoctorContext) -> Iterator[Finding]:
    kind, _, table = patient.settings.checkpoints.partition("://")
    description = patient.described(table) if kind == "dynamodb" and patient.tables else None
    if description is None or key_of(description) != POSITIONS:
        return
    probe = probe_key(POSITIONS)
    query = {
        "TableName": table,
        "KeyConditionExpression": "#stream = :stream",
        "ExpressionAttributeNames": {"#stream": "stream"},  # a reserved word
        "ExpressionAttributeValues": {":stream": probe["stream"]},
    }
    item = {"TableName": table, "Key": probe}
    yield from patient.aws.trying("dynamodb", f"table {table}", get_item=item, query=query)
    yield from _impossible_writes(patient, table, POSITIONS)


def check_bucket(patient: DoctorContext, bucket: str) -> Iterator[Finding]:
    subject, routes = f"bucket {bucket}", patient.buckets[bucket]
    if patient.aws.ask("s3", "head_bucket", subject, Bucket=bucket) is None:
        return
    for key in dict.fromkeys(map(_probe_object, routes)):
        yield from patient.aws.trying("s3", subject, head_object={"Bucket": bucket, "Key": key})
    for key in dict.fromkeys(_probe_object(route) for route in routes if "database" in route.writes):
        # null is the version id of objects that were stored without versioning
        version = {"Bucket": bucket, "Key": key, "VersionId": "null"}
        yield from patient.aws.trying("s3", subject, fine=["400"], head_object=version)


def _probe_object(route: BucketRoute) -> str:
    return f"{route.prefix}{PROBE}{route.suffix}"


def check_queue(patient: DoctorContext, queue: str) -> Iterator[Finding]:
    attributes = patient.attributes_of(queue)
    if attributes is None:
        return
    message = {"QueueUrl": attributes["QueueUrl"], "ReceiptHandle": PROBE}
    yield from patient.aws.trying(
        "sqs",
        f"queue {queue}",
        fine=NO_HANDLE,
        delete_message=message,
        change_message_visibility={**message, "VisibilityTimeout": 0},
    )
