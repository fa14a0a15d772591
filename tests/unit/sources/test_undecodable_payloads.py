"""Payloads, and members of payloads, that are unknown or cannot be decoded."""

from __future__ import annotations

import pytest
from builders import lambda_event, s3_record, sns_record, sqs_message, stream_record
from unwrapped_records import CHANGE, ITEM, OBJECT, UPLOAD, identifiers, seen

from service.errors import UnknownEvent
from service.model import CREATED, Undecodable
from service.sources.envelopes import unwrap, unwrap_text


@pytest.mark.parametrize("payload", [None, "text", 5, True, 1.5, b"bytes"])
def test_a_payload_that_is_no_object_is_an_error_that_says_so(payload):
    with pytest.raises(UnknownEvent, match=f"a payload of type {type(payload).__name__}: expected a JSON object"):
        list(unwrap(payload))


@pytest.mark.parametrize(
    ("payload", "keys"),
    [
        ({}, "none"),
        ({"key1": 1, "key2": 2}, "key1, key2"),
        ({"Records": "none"}, "Records"),
        ({"bucket": "b"}, "bucket"),
        ({"source": "aws.ec2", "detail": {}}, "detail, source"),
    ],
)
def test_an_unknown_payload_is_an_error_that_names_its_keys_and_what_was_expected(payload, keys):
    with pytest.raises(UnknownEvent) as caught:
        list(unwrap(payload))
    message = str(caught.value)
    assert f"(its keys: {keys})" in message
    assert "expected a stream, S3, SNS, SQS or EventBridge event, or an" in message


def test_the_error_of_an_unknown_payload_shows_no_values():
    with pytest.raises(UnknownEvent) as caught:
        list(unwrap({"password": "hunter2", **{f"key{n}": n for n in range(1000)}}))
    assert "hunter2" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_an_unknown_payload_with_a_name_is_an_error_too():
    with pytest.raises(UnknownEvent):
        list(unwrap({"colour": "blue"}, "m-1"))


def test_metadata_of_a_batch_that_was_given_up_is_no_event():
    with pytest.raises(UnknownEvent):
        list(unwrap({"requestContext": {}, "DDBStreamBatchInfo": {"shardId": "s"}}))


BAD_CHANGE = {**stream_record(sequence="222"), "eventName": None}
BAD_UPLOAD = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}


@pytest.mark.parametrize(
    ("bad", "identifier", "raw"),
    [
        (BAD_CHANGE, "222", BAD_CHANGE),
        ({"eventSource": "aws:dynamodb", "eventID": "e"}, "e", {"eventSource": "aws:dynamodb", "eventID": "e"}),
        (BAD_UPLOAD, "", BAD_UPLOAD),
        (sqs_message("{not json", "m-2"), "m-2", "{not json"),
        (sqs_message("", "m-2"), "m-2", ""),
        (sqs_message({"colour": "blue"}, "m-2"), "m-2", {"colour": "blue"}),
        (sqs_message("5", "m-2"), "m-2", 5),
        (sqs_message(lambda_event(BAD_UPLOAD), "m-2"), "m-2", BAD_UPLOAD),
        (sqs_message(BAD_CHANGE, "m-2"), "m-2", BAD_CHANGE),
        ({"eventSource": "aws:sqs", "messageId": "m-2"}, "m-2", None),
        (sns_record("hello"), "", "hello"),
        ({"EventSource": "aws:sns"}, "", {"EventSource": "aws:sns"}),
        ({"colour": "blue", "messageId": "m-2"}, "m-2", {"colour": "blue", "messageId": "m-2"}),
        (None, "", None),
        ("text", "", "text"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_member_that_cannot_be_read_keeps_its_name_and_itself_and_the_others_go_on(bad, identifier, raw):
    before, found, after = unwrap(lambda_event(CHANGE, bad, UPLOAD))
    assert seen([before, after]) == [ITEM, OBJECT]
    assert isinstance(found, Undecodable)
    assert (found.identifier, found.raw) == (identifier, raw)
    assert found.reason


def test_one_bad_record_of_a_message_leaves_the_others_of_that_message():
    event = lambda_event(sqs_message(lambda_event(s3_record("a"), BAD_UPLOAD, s3_record("b")), "m-1"))
    assert seen(unwrap(event)) == [(CREATED, "a"), "undecodable", (CREATED, "b")]
    assert identifiers(event) == ["m-1"] * 3


def test_what_cannot_be_read_says_where_it_came_from():
    (message,) = unwrap(lambda_event(sqs_message("{", queue="q")))
    assert message.source == "arn:aws:sqs:us-east-1:000000000000:q"
    (notification,) = unwrap(lambda_event(sns_record("{", topic="t")))
    assert notification.source == "arn:aws:sns:us-east-1:000000000000:t"
    (change,) = unwrap(lambda_event(BAD_CHANGE))
    assert change.source == BAD_CHANGE["eventSourceARN"]


@pytest.mark.parametrize("payload", [BAD_CHANGE, BAD_UPLOAD, {"EventSource": "aws:sns"}, {"source": "aws.s3"}])
def test_a_known_payload_that_cannot_be_read_is_undecodable_and_no_error(payload):
    (found,) = unwrap(payload, "m-1")
    assert isinstance(found, Undecodable)
    assert (found.raw, found.identifier) == (payload, "m-1")


@pytest.mark.parametrize("text", ["{", "", "nope", None, 5, "[" * 100_000, "1" * 5000])
def test_text_that_cannot_be_read_is_undecodable_and_no_error(text):
    (found,) = unwrap_text(text, "m-1", "arn:queue")
    assert (found.raw, found.identifier, found.source) == (text, "m-1", "arn:queue")
    assert "JSON" in found.reason


def test_envelopes_without_end_are_undecodable_and_the_others_go_on():
    payload = CHANGE
    for _ in range(50):
        payload = lambda_event(payload)
    assert seen(unwrap(lambda_event(payload, UPLOAD))) == ["undecodable", OBJECT]
