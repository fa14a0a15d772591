"""Check the buckets that routes listen to, and their event notifications."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from ...model import DELETED
from ...routing import BucketRoute
from ...routing.routes import implemented_events
from .findings import WARNING, Finding, Trouble, each, missing
from .patient import DoctorContext
from .queues import attributes_of

ELSEWHERE: Final = ("EventBridgeConfiguration", "LambdaFunctionConfigurations", "TopicConfigurations")
"""Notification targets whose final consumer the bucket does not show."""

CREATED_EVENTS: Final = "s3:ObjectCreated:"
REMOVED_EVENTS: Final = "s3:ObjectRemoved:"


def check(patient: DoctorContext) -> Iterator[Finding]:
    buckets = patient.buckets()
    queues = list(_arns(patient)) if buckets else []
    yield from each(lambda found: _bucket(patient, *found, queues), buckets.items())


def _arns(patient: DoctorContext) -> Iterator[str]:
    for queue in patient.queues():
        try:
            attributes = attributes_of(patient, queue)
        except Trouble:  # the check of queues reports it
            continue
        if attributes is not None:
            yield attributes.get("QueueArn", "")


def _bucket(
    patient: DoctorContext, bucket: str, routes: Sequence[BucketRoute], queues: Collection[str]
) -> Iterator[Finding]:
    subject = f"bucket {bucket}"
    if patient.aws.ask("s3", "head_bucket", subject, Bucket=bucket) is None:
        yield missing("bucket", subject, "the region")
        return
    if not queues:
        return
    answer = patient.aws.ask("s3", "get_bucket_notification_configuration", subject, extra=True, Bucket=bucket)
    configured: Mapping[str, Any] = answer or {}
    notified = [entry for entry in configured.get("QueueConfigurations", []) if entry["QueueArn"] in queues]
    if not notified and not any(name in configured for name in ELSEWHERE):
        yield Finding(
            "bucket",
            subject,
            "it notifies none of the queues that the service reads: no event of its objects arrives",
            "add an event notification of s3:ObjectCreated:* and s3:ObjectRemoved:* to a queue of READ_QUEUE",
            WARNING,
        )
    elif notified and not any(name in configured for name in ELSEWHERE):
        yield from _events(subject, routes, [event for entry in notified for event in entry["Events"]])


def _events(subject: str, routes: Sequence[BucketRoute], events: Sequence[str]) -> Iterator[Finding]:
    """Check that the bucket notifies the events that routes have methods for."""
    needed = {REMOVED_EVENTS if event == DELETED else CREATED_EVENTS for r in routes for event in implemented(r)}
    for family in sorted(needed):
        if not any(event.startswith(family) for event in events):
            problem = f"its queue receives no {family}* events, and a route has a method for these"
            yield Finding("bucket", subject, problem, f"add {family}* to its event notification", WARNING)


def implemented(route: BucketRoute) -> Collection[str]:
    return implemented_events(type(route))
