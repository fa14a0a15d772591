"""Create the missing tables, buckets, queues and indices of the registered routes.

This runs only against an emulator. In an AWS account, Terraform creates them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from service.bootstrap.application import App
from service.clients.database import is_embedded
from service.errors import Halt, Retry, Unreachable
from service.pipeline.error_outcomes import reaching
from service.routing import BucketRoute, Route, TableRoute
from service.routing.patterns import is_plain

UPLOADS = "streamdex-uploads"
"""The queue for bucket notifications if neither READ_QUEUE nor the route names one."""

SAMPLE_TABLE = Path(__file__).with_name("activity.sql")

EVENTS = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
VISIBILITY = "30"  # seconds
TRIES = 5
LONGEST = "1209600"  # seconds, the maximum retention of a queue, for failed messages


def provision(app: App) -> list[str]:
    """Create missing resources; return notes for the user on those that could not be created.

    Raises Unreachable or Halt if a server refuses.
    """
    with reaching("creating the resources of the routes"):
        return _provision(app)


def _provision(app: App) -> list[str]:
    notes: list[str] = []
    routes = [bound.route for bound in app.router.bound]
    keys = {r.table: r.key for r in routes if isinstance(r, TableRoute) and is_plain(r.table)}
    for table, key in keys.items():
        _table(app.context.dynamodb, app.router.names.actual("table", table), dict(key))
    notes += _without_keys(app, routes, set(keys))
    for queue in app.queues.read:
        _queue(app.context.sqs, queue)
    for route in routes:
        if isinstance(route, BucketRoute) and is_plain(route.bucket):
            _notified(app, route)
    if any(bound.database for bound in app.router.bound) and is_embedded(app.settings):
        notes += _sample_table(app)
    if app.settings.create_indices:
        try:
            app.search_sink.absences(app.router.indices.keys())  # the streams must know which indices were missing
        except Retry as error:
            raise Unreachable(str(error)) from error
    return [*notes, *_patterns(routes)]


def _without_keys(app: App, routes: list[Route], created: set[str]) -> Iterator[str]:
    """Yield notes on the tables and secondary indexes that routes use without declaring their keys."""
    read = {one.partition("/")[::2] for route in routes for one in route.reads}
    used = {table for table, _ in read} | {route.writes.get("table", "") for route in routes}
    for table in sorted(used - created - {""}):
        yield f"table {table} is not created, because no TableRoute declares its key. Create it yourself"
    for table, index in sorted(one for one in read if one[1] and one[0] in created):
        found = app.context.dynamodb.describe_table(TableName=app.router.names.actual("table", table))["Table"]
        indexes = [*found.get("GlobalSecondaryIndexes", ()), *found.get("LocalSecondaryIndexes", ())]
        if index not in {one["IndexName"] for one in indexes}:
            what = f"index {index} of table {table}"
            yield f"{what} is not created, because routes do not declare the keys of indexes. Create it yourself"


def _notified(app: App, route: BucketRoute) -> None:
    """Create a route's bucket. It notifies the route's queue, or else the first queue that carries the bucket."""
    names = app.router.names
    bucket, wanted = names.actual("bucket", route.bucket), queue_of(route)
    carrying = app.queues.carrying("bucket", bucket)
    if carrying:
        queue = next((one for one in carrying if names.logical("queue", one) == wanted), carrying[0])
        _bucket(app.context.s3, bucket, _queue(app.context.sqs, queue))


def queue_of(route: BucketRoute) -> str:
    """Return the logical name of the queue for a route's bucket events if READ_QUEUE names none."""
    return route.queue or UPLOADS


def _sample_table(app: App) -> list[str]:
    """Create the table for the sample's rows in the embedded database file."""
    try:
        with app.context.sql.begin() as connection:
            connection.exec_driver_sql(SAMPLE_TABLE.read_text(encoding="utf-8"))
    except Halt as halt:  # without the extra `sql`, everything except rows works
        return [str(halt)]
    return []


def _patterns(routes: list[Route]) -> list[str]:
    names = sorted({name for r in routes if (name := getattr(r, "table", "") or getattr(r, "bucket", ""))})
    return [
        f"{name} is a pattern. Create the resources that it matches yourself"
        for name in names
        if not is_plain(name)
    ]


def _table(dynamodb: Any, table: str, key: dict[str, str]) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    try:
        description = dynamodb.describe_table(TableName=table)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        dynamodb.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in key.items()],
            KeySchema=[
                {"AttributeName": name, "KeyType": kind}
                for name, kind in zip(key, ("HASH", "RANGE"), strict=False)
            ],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification=stream,
        )
        dynamodb.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1})
        return
    if not description.get("StreamSpecification", {}).get("StreamEnabled"):
        dynamodb.update_table(TableName=table, StreamSpecification=stream)


def _queue(sqs: Any, queue: str) -> str:
    """Create a queue if it is missing, with a failed queue for messages received TRIES times; return its ARN."""
    try:
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        fifo = {"FifoQueue": "true"} if queue.endswith(".fifo") else {}
        name = f"{queue.removesuffix('.fifo')}-failed{'.fifo' if fifo else ''}"
        kept = {"MessageRetentionPeriod": LONGEST, **fifo}
        failed = sqs.create_queue(QueueName=name, Attributes=kept)["QueueUrl"]
        redrive = {"deadLetterTargetArn": _arn(sqs, failed), "maxReceiveCount": TRIES}
        attributes = {"VisibilityTimeout": VISIBILITY, "RedrivePolicy": json.dumps(redrive), **fifo}
        url = sqs.create_queue(QueueName=queue, Attributes=attributes)["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _may_send(_arn(sqs, url))})
    return _arn(sqs, url)


def _arn(sqs: Any, url: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


def _may_send(queue: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"StringEquals": {"aws:SourceAccount": queue.split(":")[4]}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _bucket(s3: Any, bucket: str, queue: str) -> None:
    known = {entry["Name"] for entry in s3.list_buckets()["Buckets"]}
    if bucket not in known:
        s3.create_bucket(Bucket=bucket, **_location(s3.meta.region_name))
    configuration = s3.get_bucket_notification_configuration(Bucket=bucket)
    configuration.pop("ResponseMetadata", None)
    entries = configuration.get("QueueConfigurations", [])
    if all(entry["QueueArn"] != queue for entry in entries):
        # Keep the notifications of others, because the request replaces the whole configuration.
        configuration["QueueConfigurations"] = [*entries, {"QueueArn": queue, "Events": EVENTS}]
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def _location(region: str) -> dict[str, dict[str, str]]:
    """Return the location arguments. us-east-1 must not be named ("CreateBucket", S3 API Reference)."""
    return {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
