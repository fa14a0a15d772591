"""Remove the envelopes of a payload, and read the records in it.

| payload                                                       | records                                     |
|---------------------------------------------------------------|---------------------------------------------|
| a Lambda event `{"Records": […]}`                             | each by its eventSource, in any mix         |
| `aws:dynamodb`, also bare (EventBridge Pipes, recordings)     | a TableRecord                               |
| `aws:s3`, `minio:s3`, `ceph:s3`                               | an ObjectRecord; keys are URL-encoded,      |
|                                                               | except Ceph's                               |
| `aws:sqs`                                                     | those of its body, named by the message     |
| `aws:sns`, also as the text of a message (`Type`)             | those of its message                        |
| EventBridge, `source: aws.s3`                                 | an ObjectRecord; keys are not encoded       |
| `{"bucket": …, "key": …}`                                     | an ObjectRecord: the object exists          |
| `s3:TestEvent`                                                | none: it is acknowledged and dropped        |
| SNS `SubscriptionConfirmation`, `UnsubscribeConfirmation`     | none: it is acknowledged and logged         |
| a dead letter                                                 | the record that it contains                 |
| a discarded event that Lambda stored in S3                    | those of that event                         |
| a backfill task (`streamdex-task`)                            | a TaskRecord: runs only from its own queue  |
| a list                                                        | those of each of its members                |

Sources: "Using Lambda with DynamoDB / SQS / SNS / S3", "Event message structure" (S3 User Guide), "Amazon S3 event
notification schema for EventBridge", "Lambda targets" (EventBridge Pipes), "Retain discarded records for a
DynamoDB event source" and "Capturing records of Lambda asynchronous invocations".
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, Final, TypeAlias

from ..errors import DecodeError, UnknownEvent
from ..model import Record, TableRecord, Undecodable
from ..model.backfill_task import NOT_HERE, TaskRecord, is_task
from ..model.object_record import CEPH, MINIO, from_eventbridge, from_notification, from_pointer

logger = logging.getLogger(__name__)

TABLE: Final = "aws:dynamodb"

_CONFIRMATIONS: Final = {
    "SubscriptionConfirmation": "Subscribe the queue with credentials of the queue's account. Such a subscription"
    " needs no confirmation. Or stop the service, subscribe the queue again, receive the message from the queue,"
    " and call `aws sns confirm-subscription` with its TopicArn and Token.",
    "UnsubscribeConfirmation": "The topic no longer sends messages to the queue. If it should, subscribe the queue"
    " again with credentials of the queue's account.",
}
"""The messages that SNS sends when another account subscribes or unsubscribes a queue, with the remedy.

Sources: "HTTP/HTTPS subscription confirmation JSON format" and "Sending Amazon SNS messages to an Amazon SQS queue
in a different account" (SNS Developer Guide).
"""

_DEEPEST = 8
"""Maximum nesting of envelopes; S3 to SNS to SQS to Lambda has four."""

Reader: TypeAlias = Callable[[Mapping[str, Any], str, int], Iterator[Record]]


def unwrap(payload: Any, identifier: str = "") -> Iterator[Record]:
    """Yield the records of a payload. An unreadable one becomes an Undecodable, and the others follow.

    `identifier` is the source's name for the whole payload, such as a message id; every record in it gets that
    name. Raises UnknownEvent if the payload itself is not in the table above.
    """
    try:
        yield from _unwrap(payload, identifier, 0)
    except DecodeError as error:
        yield _undecodable(payload, error, identifier)


def unwrap_text(text: Any, identifier: str = "", source: str = "", depth: int = 0) -> Iterator[Record]:
    """Yield the records of a message's JSON text. Never raises: an unknown payload becomes an Undecodable."""
    try:
        payload = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        reason = f"not JSON: {error}" if isinstance(error, ValueError) else "not JSON text"
        yield Undecodable(text, reason, source, identifier)
        return
    for record in _guarded(payload, identifier, depth):
        if isinstance(record, TableRecord):
            record.ordered = False  # a queue does not keep the order of a shard
        if isinstance(record, Undecodable) and not record.source:
            yield dataclasses.replace(record, source=source)
        else:
            yield record


def _unwrap(payload: Any, identifier: str, depth: int) -> Iterator[Record]:
    """Return the records of a payload. Raises UnknownEvent, and DecodeError when the records are read."""
    if depth > _DEEPEST:
        raise UnknownEvent(f"more than {_DEEPEST} nested envelopes")
    if isinstance(payload, list):
        return chain.from_iterable(_guarded(member, identifier, depth + 1) for member in payload)
    if not isinstance(payload, Mapping):
        raise UnknownEvent(f"a payload of type {type(payload).__name__}: expected a JSON object")
    reader = _reader_of(payload)
    if reader is None:
        keys = ", ".join(sorted(str(key)[:40] for key in payload)[:10]) or "none"
        raise UnknownEvent(
            f"unknown payload (its keys: {keys}): expected a stream, S3, SNS, SQS or EventBridge event, or an"
            " object with bucket and key"
        )
    return reader(payload, identifier, depth)


def _reader_of(payload: Mapping[str, Any]) -> Reader | None:
    if isinstance(payload.get("Records"), list):
        return _records
    source = payload.get("eventSource") or payload.get("EventSource") or payload.get("source")
    if isinstance(source, str) and source in _BY_SOURCE:
        return _BY_SOURCE[source]
    by_shape: tuple[tuple[bool, Reader], ...] = (
        (isinstance(payload.get("dynamodb"), Mapping), _table_record),
        (payload.get("Type") == "Notification" and "Message" in payload, _notification),
        (payload.get("Type") in tuple(_CONFIRMATIONS) and "Token" in payload, _confirmation),
        (payload.get("Event") == "s3:TestEvent", _nothing),
        (isinstance(payload.get("bucket"), str) and isinstance(payload.get("key"), str), _pointer),
        ("format" in payload and "record" in payload and "route" in payload, _letter),
        (is_task(payload), _task),
        (isinstance(payload.get("requestContext"), Mapping) and bool(_given_up_in(payload)), _given_up),
    )
    return next((reader for fits, reader in by_shape if fits), None)


def _guarded(payload: Any, identifier: str, depth: int) -> Iterator[Record]:
    """Yield the records of a part of a payload; the part itself as an Undecodable if it is unknown."""
    try:
        yield from _unwrap(payload, identifier, depth)
    except (DecodeError, UnknownEvent) as error:
        yield _undecodable(payload, error, identifier)


def _undecodable(payload: Any, error: Exception, identifier: str) -> Undecodable:
    return Undecodable(payload, str(error), _source_of(payload), identifier or _name_of(payload))


def _records(payload: Mapping[str, Any], identifier: str, depth: int) -> Iterator[Record]:
    for entry in payload["Records"]:
        if isinstance(entry, dict) and entry.get("eventSource") == TABLE and "Records" not in entry:
            yield _change(entry, identifier)  # fast path for nearly all records; the other costs twice as much
        else:
            yield from _guarded(entry, identifier, depth + 1)


def _table_record(payload: Mapping[str, Any], identifier: str, depth: int) -> Iterator[Record]:
    yield _change(payload, identifier)


def _change(payload: Mapping[str, Any], identifier: str) -> Record:
    try:
        return TableRecord(payload, identifier=identifier or None)
    except DecodeError as error:
        return _undecodable(payload, error, identifier)


def _object_record(payload: Mapping[str, Any], identifier: str, depth: int) -> Iterator[Record]:
    yield from_notification(payload, identifier)


def _eventbridge(payload: Mapping[str, Any], identifier: str, depth: int) -> Iterator[Record]:
    yield from_eventbridge(payload, identifier)


def _pointer(payload: Mapping[str, Any], identifier: str, depth: int) -> Iterator[Record]:
    yield from_pointer(payload, identifier)


def _message(payload: Mapping[str, Any], identifier: str, depth: int) -> Iterator[Record]:
    # A nested message is named by the outer one, which the source knows.
    name = identifier or _name_of(payload)
    yield from unwrap_text(payload.get("body"), name, _source_of(payload), depth + 1)


def _sns_record(payload: Mapping[str, Any], identifier: str, depth: int) -> Iterator[Record]:
    yield from _notification(payload.get("Sns"), identifier, depth)


def _notification(payload: Any, identifier: str, depth: int) -> Iterator[Record]:
    if not isinstance(payload, Mapping):
        raise DecodeError("the SNS record has no notification")
    topic = payload.get("TopicArn")
    source = topic if isinstance(topic, str) else ""
    yield from unwrap_text(payload.get("Message"), identifier, source, depth + 1)


def _confirmation(payload: Mapping[str, Any], identifier: str, depth: int) -> Iterator[Record]:
    """Log the request of SNS and its remedy, without the token and its URL: they allow anybody to subscribe."""
    kind = payload["Type"]
    topic = payload.get("TopicArn")
    logger.warning(
        f"SNS {kind} acknowledged without a response",
        extra={"topic": topic[:256] if isinstance(topic, str) else "", "remedy": _CONFIRMATIONS[kind]},
    )
    yield from ()


def _letter(payload: Mapping[str, Any], identifier: str, depth: int) -> Iterator[Record]:
    """Yield the record of a dead letter, with its original source."""
    record, source = payload["record"], payload.get("source")
    if isinstance(record, Mapping) and "dynamodb" in record and isinstance(source, str):
        record = {"eventSourceARN": source, **record}
    yield from _guarded(record, identifier, depth + 1)


def _given_up(payload: Mapping[str, Any], identifier: str, depth: int) -> Iterator[Record]:
    """Yield the records of the whole event (text for an event source mapping). It is late and unordered."""
    event = _given_up_in(payload)
    yield from unwrap_text(event if isinstance(event, str) else json.dumps(event), identifier, "", depth + 1)


def _given_up_in(payload: Mapping[str, Any]) -> Any:
    return payload.get("payload") or payload.get("requestPayload")


def _task(payload: Mapping[str, Any], identifier: str, depth: int) -> Iterator[Record]:
    yield TaskRecord(payload, NOT_HERE, "", identifier)


def _nothing(payload: Mapping[str, Any], identifier: str, depth: int) -> Iterator[Record]:
    yield from ()


_BY_SOURCE: Mapping[str, Reader] = {
    TABLE: _table_record,
    "aws:s3": _object_record,
    MINIO: _object_record,
    CEPH: _object_record,
    "aws:sqs": _message,
    "aws:sns": _sns_record,
    "aws.s3": _eventbridge,
}


def _source_of(payload: Any) -> str:
    found = payload.get("eventSourceARN") if isinstance(payload, Mapping) else None
    return found if isinstance(found, str) else ""


def _name_of(payload: Any) -> str:
    """Return the source's name for a record that cannot be read: its sequence number or message id."""
    if not isinstance(payload, Mapping):
        return ""
    change = payload.get("dynamodb")
    number = change.get("SequenceNumber") if isinstance(change, Mapping) else None
    for name in (number, payload.get("messageId"), payload.get("eventID")):
        if isinstance(name, str) and name:
            return name
    return ""
