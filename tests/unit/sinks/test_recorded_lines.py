"""Lines of recordings: a replay reads equal records from them, and they contain no credentials."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import eventbridge, s3_record, sns_notification, sns_record, sqs_message, stream_arn, stream_record
from hypothesis import example, given, settings
from hypothesis import strategies as st
from recording_contents import NO_MASKS, again, from_boto3

from service.model import ObjectRecord, TableRecord, Undecodable
from service.sinks.recordings import lines_of
from service.sources.envelopes import unwrap, unwrap_text

VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.text(),
        st.integers(-(10**37), 10**37),
        st.binary(),
        st.sets(st.text(), min_size=1),
        st.sets(st.binary(), min_size=1),
        st.sets(st.integers(-99, 99), min_size=1),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


def said(record: TableRecord) -> tuple[Any, ...]:
    """Return all the data that routes and versions depend on."""
    return (
        record.event,
        record.table,
        record.source,
        record.keys,
        record.new,
        record.old,
        record.created,
        record.version,
        record.sequence_number,
    )


@example({"a": [None, {"b": [b"\0\xff", {"x", "y"}, -(10**37)]}], "ü\u2028": True})
@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=3))
@settings(max_examples=30)
def test_a_record_of_the_stream_is_read_back_equal(item):
    record = from_boto3(NewImage=item, OldImage=item)
    found = again(record)
    assert isinstance(found, TableRecord)
    assert said(found) == said(record)


def test_a_line_has_the_shape_of_an_event_of_lambda():
    record = from_boto3(NewImage={"id": "k", "b": b"\0\xff", "bs": {b"\1"}})
    (line,) = lines_of([record], NO_MASKS)
    assert json.loads(line) == {
        "eventID": "1",
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": stream_arn(),
        "dynamodb": {
            "ApproximateCreationDateTime": 1795309323,
            "Keys": {"id": {"S": "k"}},
            "NewImage": {"id": {"S": "k"}, "b": {"B": "AP8="}, "bs": {"BS": ["AQ=="]}},
            "SequenceNumber": "100000000000000000001",
            "SizeBytes": 3,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "userIdentity": {"principalId": "dynamodb.amazonaws.com", "type": "Service"},
    }
    assert b'"ApproximateCreationDateTime":1795309323,' in line


def test_a_fraction_of_a_second_stays():
    (record,) = unwrap(stream_record(new={"id": "k"}, created=1_700_000_000.25))
    found = again(record)
    assert isinstance(found, TableRecord)
    assert found.created == 1_700_000_000.25


@pytest.mark.parametrize(
    "payload",
    [
        s3_record("a b/ü.jpg"),
        eventbridge("a b/ü.jpg"),
        {"bucket": "images-in", "key": "a b"},
        sqs_message(sns_notification({"Records": [s3_record("k", "ObjectRemoved:Delete")]})),
        sns_record({"Records": [s3_record("k")]}),
    ],
)
def test_a_record_of_a_bucket_is_read_back_equal_whatever_it_was_wrapped_in(payload):
    (record,) = unwrap(payload)
    found = again(record)
    assert isinstance(record, ObjectRecord)
    assert isinstance(found, ObjectRecord)
    names = ("event", "name", "bucket", "key", "size", "etag", "version_id", "sequencer", "created", "version")
    assert [getattr(found, name) for name in names] == [getattr(record, name) for name in names]


@pytest.mark.parametrize(
    "payload",
    [{"eventSource": "aws:dynamodb", "dynamodb": {}}, {"eventSource": "aws:s3", "s3": {}}, {"dynamodb": {}}],
)
def test_what_cannot_be_read_is_met_again_in_the_recording(payload):
    (record,) = unwrap(payload)
    assert isinstance(record, Undecodable)
    assert isinstance(again(record), Undecodable)


@pytest.mark.parametrize("text", ["plain text", "[1, 2", '"quoted"', "7", b"\xff"])
def test_a_message_that_is_no_json_is_kept_in_a_line_of_its_own(text):
    (record,) = unwrap_text(text, "m-1")
    (line,) = lines_of([record], NO_MASKS)
    assert list(json.loads(line)) == ["undecodable"]


@pytest.mark.parametrize("name", ["Authorization", "authorization", "X-Amz-Security-Token", "Cookie", "x-api-key"])
def test_headers_with_credentials_are_left_out_of_what_envelopes_carry(name):
    secret = {name: "hunter2"}
    payloads = [
        {"bucket": "b", "key": "k", "headers": secret, **secret},
        {**s3_record("k"), "requestParameters": {"headers": [secret]}},
        {**stream_record(new={"id": "k"}), **secret},
        {"eventSource": "aws:s3", "s3": {}, **secret},
    ]
    text = b"".join(lines_of([record for payload in payloads for record in unwrap(payload)], NO_MASKS))
    assert text.count(b"\n") == len(payloads)
    assert b"hunter2" not in text


def test_an_attribute_with_the_name_of_a_header_is_the_item_s():
    found = again(from_boto3(NewImage={"id": "k", "cookie": "oatmeal"}))
    assert isinstance(found, TableRecord)
    assert found.new == {"id": "k", "cookie": "oatmeal"}
