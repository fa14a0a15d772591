"""Check the buckets that routes listen to, and their event notifications."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ...model import DELETED
from ...routing import BucketRoute
from ...routing.routes import implemented_events
from .findings import WARNING, Finding, missing
from .patient import DoctorContext

ELSEWHERE: Final = ("EventBridgeConfiguration", "LambdaFunctionConfigurations", "TopicConfigurations")
"""Notification targets whose final consumer the bucket does not show."""

CREATED_EVENTS: Final = "s3:ObjectCreated:"
REMOVED_EVENTS: Final = "s3:ObjectRemoved:"


def check(patient: DoctorContext, bucket: str) -> Iterator[Finding]:
    subject, queues = f"bucket {bucket}", patient.queue_arns
    if patient.aws.ask("s3", "head_bucket", subject, Bucket=bucket) is None:
        yield missing("bucket", subject, "the region")
        return
    if not queues:
        return
    answer = patient.aws.ask("s3", "get_bucket_notification_configuration", subject, extra=True, Bucket=bucket)
    configured: Mapping[str, Any] = answer or {}
    if any(name in configured for name in ELSEWHERE):
        return
    notified = [entry for entry in configured.get("QueueConfigurations", []) if entry["QueueArn"] in queues]
    if notified:
        events = [event for entry in notified for event in entry["Events"]]
        yield from _events(subject, patient.buckets[bucket], events)
        return
    problem = "it notifies none of the queues that the service reads: no event of its objects arrives"
    remedy = "add an event notification of s3:ObjectCreated:* and s3:ObjectRemoved:* to a queue of READ_QUEUE"
    yield Finding("bucket", subject, problem, remedy, WARNING)


def _events(subject: str, routes: Sequence[BucketRoute], events: Sequence[str]) -> Iterator[Finding]:
    """Check that the bucket notifies the events that routes have methods for."""
    implemented = {event for route in routes for event in implemented_events(type(route))}
    for family in sorted({REMOVED_EVENTS if event == DELETED else CREATED_EVENTS for event in implemented}):
        if not any(event.startswith(family) for event in events):
            problem = f"its queue receives no {family}* events, and a route has a method for these"
            yield Finding("bucket", subject, problem, f"add {family}* to its event notification", WARNING)
