"""Arbitrary JSON in any part of an envelope: it never raises an error and never loses a good record."""

from __future__ import annotations

import json

from builders import lambda_event, s3_record, sns_record, sqs_message, stream_record
from hypothesis import given
from hypothesis import strategies as st

from service.errors import UnknownEvent
from service.model import ObjectRecord, TableRecord, Undecodable
from service.sources.envelopes import unwrap, unwrap_text

NAMES = [
    *("Records", "eventSource", "EventSource", "source", "eventSourceARN", "eventName", "eventID"),
    *("dynamodb", "Keys", "NewImage", "SequenceNumber", "ApproximateCreationDateTime", "userIdentity"),
    *("s3", "bucket", "name", "object", "key", "sequencer", "size", "detail", "detail-type"),
    *("messageId", "body", "Sns", "Type", "Message", "TopicArn", "Event"),
]
WORDS = [
    *("aws:dynamodb", "aws:s3", "aws:sqs", "aws:sns", "aws.s3", "s3:TestEvent", "Notification"),
    *("INSERT", "ObjectCreated:Put", "Object Created", "%FF", "{", "[]", '{"Records": [{}]}'),
    *("arn:aws:dynamodb:us-east-1:0:table/images/stream/x", "111"),
]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(WORDS)
names = st.sampled_from(NAMES) | st.text(max_size=3)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6),
    max_leaves=20,
)

GOOD = stream_record(keys={"id": "good"}, sequence="424242")


@st.composite
def damaged(draw):
    """Draw a real record with one part, at any depth, replaced or removed."""
    makers = [
        lambda: stream_record("MODIFY", new={"id": "a", "n": 1}, old={"id": "a"}),
        lambda: s3_record("a b"),
        lambda: sqs_message(lambda_event(s3_record("a"))),
        lambda: sns_record(lambda_event(s3_record("a"))),
    ]
    record = draw(st.sampled_from(makers))()
    inner, path = record, None
    while isinstance(inner, dict) and inner and (path is None or draw(st.booleans())):
        outer, path = inner, draw(st.sampled_from(sorted(inner)))
        inner = inner[path]
    if draw(st.booleans()):
        outer[path] = draw(json_values)
    else:
        del outer[path]
    return record


def is_good(record):
    return isinstance(record, TableRecord) and record.typed_keys == {"id": {"S": "good"}}


def check(records):
    """Assert that each record is valid or undecodable and has the attributes that the dispatcher reads."""
    for record in records:
        assert isinstance(record, TableRecord | ObjectRecord | Undecodable)
        assert isinstance(record.identifier, str)
        assert isinstance(record.source, str)
        if isinstance(record, Undecodable):
            assert record.reason
        else:
            assert record.subject == record.subject
            assert 0 <= record.version < 2**63


@given(st.lists(json_values | damaged(), max_size=3), st.integers(0, 3))
def test_anything_beside_a_good_record_never_raises_and_never_loses_it(junk, position):
    records = list(unwrap(lambda_event(*junk[:position], GOOD, *junk[position:])))
    check(records)
    assert [is_good(record) for record in records if record.identifier == "424242"] == [True]


@given(st.lists(json_values | damaged(), max_size=3))
def test_anything_in_the_messages_of_a_queue_never_raises_and_never_loses_a_good_one(junk):
    bodies = [sqs_message(json.dumps(body), f"m-{number}") for number, body in enumerate(junk)]
    records = list(unwrap(lambda_event(*bodies, sqs_message(GOOD, "good"))))
    check(records)
    assert [is_good(record) for record in records if record.identifier == "good"] == [True]
    assert {record.identifier for record in records} <= {"good", *(f"m-{n}" for n in range(len(junk)))}


@given(st.lists(json_values | damaged(), max_size=3))
def test_anything_in_the_message_of_a_topic_never_raises_and_never_loses_a_good_record(junk):
    records = list(unwrap(lambda_event(sns_record(lambda_event(*junk, GOOD)))))
    check(records)
    assert any(map(is_good, records))


@given(st.text() | st.builds(json.dumps, json_values))
def test_any_text_never_raises(text):
    check(list(unwrap_text(text, "m-1", "arn:queue")))


@given(json_values | damaged())
def test_any_payload_is_records_or_an_unknown_event(payload):
    try:
        check(list(unwrap(payload)))
    except UnknownEvent:
        return


@given(damaged())
def test_a_damaged_record_is_never_dropped_in_silence(record):
    text = json.dumps(record)
    assert list(unwrap(lambda_event(record))) or "[]" in text or "s3:TestEvent" in text
