"""The least-privilege IAM policy for the routes and settings of the service.

Source of actions and resources: "Actions, resources, and condition keys for" Amazon DynamoDB, S3, SQS, OpenSearch
Service and OpenSearch Serverless (Service Authorization Reference). An SQS batch request needs the permission of
the single request ("Amazon SQS API permissions"). HeadObject also needs s3:ListBucket: without it, the answer for
a missing object is 403 instead of 404 ("HeadObject").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ...routing import BucketRoute, Router, TableRoute
from ...routing.patterns import is_plain, matches
from ...routing.queue_declarations import Queues
from ...settings import Settings
from ..tables import fills_index
from .grants import SOMEBODY, Grant, Owner, Work, escaped, statements
from .search import place_of, search

__all__ = ["POSITIONS", "Owner", "place_of", "policy_of"]

STREAM: Final = ("DescribeStream", "GetRecords", "GetShardIterator")
READ: Final = ("BatchGetItem", "Query")
WRITE: Final = ("DeleteItem", "DescribeTable", "PutItem", "UpdateItem")
QUEUE: Final = ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage")
QUEUE_OF_FUNCTION: Final = ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
TASKS: Final = ("GetQueueUrl", "SendMessage")
POSITIONS: Final = ("CreateTable", "DeleteItem", "DescribeTable", "GetItem", "PutItem", "Query", "UpdateItem")


def policy_of(
    router: Router,
    settings: Settings,
    owner: Owner = SOMEBODY,
    operator: bool = False,
    function: bool = False,
) -> dict[str, Any]:
    """Return an IAM policy document for the container, one statement for each resource and purpose.

    With `operator`, the policy is for the user of the commands `backfill`, `verify`, `replay` and `dead-letters`.
    With `function`, it is for a Lambda function; its role also lets event source mappings read streams and queues.
    The policy omits KMS, and requests in the routes' own code except reading the objects they are called for and
    the tables in `reads`.
    """
    work = Work(router, settings, owner, operator, function)
    parts = (_streams, _tables, _reads, _writes, _buckets, _queues, _exports, _positions, _letters, search)
    return {"Version": "2012-10-17", "Statement": list(statements([g for part in parts for g in part(work)]))}


def _streams(work: Work) -> Iterator[Grant]:
    """Grant reading the streams. ListStreams cannot be restricted to tables."""
    patterns = [] if work.operator else listened(work)
    if patterns:
        yield Grant("ListStreams", "", "dynamodb", ["ListStreams"], ["*"])
    for pattern in patterns:
        names, tables = tables_of(work, pattern)
        yield Grant("ReadStreamOf", names[0], "dynamodb", STREAM, [f"{table}/stream/*" for table in tables])


def _tables(work: Work) -> Iterator[Grant]:
    """Grant reading the tables. ListTables cannot be restricted to tables.

    Items are re-read with BatchGetItem, and the collections of a CollectionRoute with Query. Scan is granted only
    where it is needed: to operators, workers of backfill tasks, and with `on_gap` = verify.
    """
    filling = {b.route.table for b in work.router.bound if isinstance(b.route, TableRoute) and fills_index(b)}
    patterns = listened(work)
    if not all(map(is_plain, patterns)):
        yield Grant("ListTables", "", "dynamodb", ["ListTables"], ["*"])
    for pattern in patterns:
        names, tables = tables_of(work, pattern)
        kinds = {bound.collection for bound in work.router.bound if getattr(bound.route, "table", "") == pattern}
        rereads = [action for action, collection in zip(READ, (False, True), strict=True) if collection in kinds]
        yield Grant("ReadTable", names[0], "dynamodb", sorted([*rereads, "DescribeTable"]), tables)
        if (work.scans or work.settings.task_queue) and pattern in filling:
            yield Grant("Scan", names[0], "dynamodb", ["Scan"], tables)


def _reads(work: Work) -> Iterator[Grant]:
    """Grant what routes read with `context.tables`: tables, and the secondary indexes that they declare."""
    for table, readable in sorted(work.router.readable.items()):
        arn = work.owner.arn("dynamodb", f"table/{table}")
        if readable.itself:
            yield Grant("ReadItemsOf", table, "dynamodb", READ, [arn])
        if readable.indexes:
            indexes = [f"{arn}/index/{index}" for index in sorted(readable.indexes)]
            yield Grant("QueryIndexesOf", table, "dynamodb", ["Query"], indexes)


def _writes(work: Work) -> Iterator[Grant]:
    for table in sorted({bound.item_table for bound in work.router.bound if bound.item_table}):
        yield Grant("Write", table, "dynamodb", WRITE, [work.owner.arn("dynamodb", f"table/{table}")])


def _buckets(work: Work) -> Iterator[Grant]:
    owner = work.owner
    routes: dict[str, list[BucketRoute]] = {}
    versions: set[str] = set()
    for bound in work.router.bound:
        if isinstance(bound.route, BucketRoute):
            routes.setdefault(bound.route.bucket, []).append(bound.route)
            # Rows are loaded from the object version that the event names.
            versions |= {bound.route.bucket} if bound.database else set()
    for pattern, of_bucket in routes.items():
        buckets = existing(work.router, "bucket", pattern)
        yield Grant("List", buckets[0], "s3", ["ListBucket"], [owner.bucket(bucket) for bucket in buckets])
        keys = sorted({keys_of(route) for route in of_bucket})
        objects = [owner.bucket(f"{bucket}/{key}") for bucket in buckets for key in keys]
        actions = ["GetObject", "GetObjectVersion"] if pattern in versions else ["GetObject"]
        yield Grant("ReadObjectsOf", buckets[0], "s3", actions, objects)


def _queues(work: Work) -> Iterator[Grant]:
    queues = Queues(work.settings, work.router)
    for queue in () if work.operator else queues.read:
        actions = QUEUE_OF_FUNCTION if work.function else QUEUE
        yield Grant("ReadQueue", queue, "sqs", actions, [work.owner.arn("sqs", queue)])
    if queues.tasks:  # operators send tasks, workers send back the rest of one
        yield Grant("EnqueueOn", queues.tasks, "sqs", TASKS, [work.owner.arn("sqs", queues.tasks)])


def _exports(work: Work) -> Iterator[Grant]:
    """Grant reading the export files that backfill tasks may name. HeadObject also needs ListBucket."""
    bucket, _, prefix = work.settings.export_prefix.removeprefix("s3://").partition("/")
    if bucket and (work.settings.task_queue or work.operator):
        yield Grant("ListExportsIn", bucket, "s3", ["ListBucket"], [work.owner.bucket(bucket)])
        folder = f"{bucket}/{prefix.strip('/')}".rstrip("/")
        yield Grant("ReadExportsIn", bucket, "s3", ["GetObject"], [work.owner.bucket(f"{folder}/*")])


def _positions(work: Work) -> Iterator[Grant]:
    kind, _, table = work.settings.checkpoints.partition("://")
    if (
        kind == "dynamodb"
        and not work.function
        and any(isinstance(bound.route, TableRoute) for bound in work.router.bound)
    ):
        resource = work.owner.arn("dynamodb", f"table/{table}")
        yield Grant("WriteCheckpointsTo", table, "dynamodb", POSITIONS, [resource])


def _letters(work: Work) -> Iterator[Grant]:
    settings, owner = work.settings, work.owner
    kind, _, place = settings.dead_letters.partition("://")
    if kind == "sqs":
        queue = owner.arn("sqs", place)
        yield Grant("WriteDeadLettersTo", place, "sqs", ["GetQueueUrl", "SendMessage"], [queue])
        if work.page or work.operator:  # listing receives messages and makes them visible again
            yield Grant("ReadDeadLettersIn", place, "sqs", ["ChangeMessageVisibility", "ReceiveMessage"], [queue])
        if work.redrives:
            yield Grant("DeleteDeadLettersIn", place, "sqs", ["DeleteMessage"], [queue])
        if work.operator:  # a redrive that stops reports how many are left
            yield Grant("CountDeadLettersIn", place, "sqs", ["GetQueueAttributes"], [queue])
        kind, _, place = settings.dead_letters_large.partition("://")
    if kind == "s3":
        bucket, _, prefix = place.partition("/")
        folder = f"{bucket}/{prefix.strip('/')}".rstrip("/")
        objects = owner.bucket(f"{folder}/*")
        yield Grant("WriteDeadLettersTo", bucket, "s3", ["PutObject"], [objects])
        if work.page or work.operator:
            yield Grant("ListDeadLettersIn", bucket, "s3", ["ListBucket"], [owner.bucket(bucket)])
            yield Grant("ReadDeadLettersIn", bucket, "s3", ["GetObject"], [objects])
        if work.redrives:
            yield Grant("DeleteDeadLettersIn", bucket, "s3", ["DeleteObject"], [objects])


def listened(work: Work) -> list[str]:
    """Return the tables that routes listen to, by their logical names or patterns."""
    return list(dict.fromkeys(b.route.table for b in work.router.bound if isinstance(b.route, TableRoute)))


def tables_of(work: Work, pattern: str) -> tuple[list[str], list[str]]:
    """Return the actual names and the ARNs for a table name or pattern in a route."""
    names = existing(work.router, "table", pattern)
    return names, [work.owner.arn("dynamodb", f"table/{name}") for name in names]


def existing(router: Router, kind: str, pattern: str) -> list[str]:
    """Return the actual names for a name in a route; for a pattern, itself and the mapped names it matches."""
    if is_plain(pattern):
        return [router.names.actual(kind, pattern)]
    return [pattern, *router.names.actuals(kind, lambda logical: matches(pattern, logical))]


def keys_of(route: BucketRoute) -> str:
    """Return the keys of a route's objects as a resource pattern.

    The suffix is omitted if it can overlap the prefix: no single pattern matches exactly those keys.
    """
    prefix, suffix = escaped(route.prefix), escaped(route.suffix)
    shared = any(route.prefix.endswith(route.suffix[:n]) for n in range(1, len(route.suffix) + 1))
    return f"{prefix}*" if shared or not suffix else f"{prefix}*{suffix}"
