"""Unwrapping of records from every known envelope of a payload."""

from __future__ import annotations

import json

import pytest
from builders import (
    eventbridge,
    lambda_event,
    s3_record,
    sns_notification,
    sns_record,
    sqs_message,
    stream_arn,
    stream_record,
)
from unwrapped_records import CHANGE, ITEM, OBJECT, UPLOAD, identifiers, seen

from service.model import CREATED, DELETED, ObjectRecord, TableRecord
from service.pipeline import DeadLetter, Outcome, Result
from service.sinks.dead_letters import DeadLetterFolder
from service.sources.envelopes import unwrap, unwrap_text

TEST_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "images-in"}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (lambda_event(CHANGE), [ITEM]),
        (CHANGE, [ITEM]),
        ({name: part for name, part in CHANGE.items() if name != "eventSource"}, [ITEM]),
        (lambda_event(UPLOAD), [OBJECT]),
        (UPLOAD, [OBJECT]),
        (lambda_event(sqs_message(lambda_event(UPLOAD))), [OBJECT]),
        (sqs_message(CHANGE), [ITEM]),
        (lambda_event(sns_record(lambda_event(UPLOAD))), [OBJECT]),
        (sns_notification(lambda_event(UPLOAD)), [OBJECT]),
        (eventbridge("a b.jpg"), [OBJECT]),
        ({"bucket": "images-in", "key": "a b.jpg"}, [OBJECT]),
        (TEST_EVENT, []),
        ([CHANGE, eventbridge("a b.jpg")], [ITEM, OBJECT]),
        ([], []),
        (lambda_event(), []),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_every_payload_of_the_table_is_unwrapped(payload, expected):
    assert seen(unwrap(payload)) == expected


def test_s3_through_sns_through_sqs_to_a_lambda():
    inner = lambda_event(s3_record("a"), s3_record("b", "ObjectRemoved:Delete"))
    event = lambda_event(sqs_message(sns_notification(inner), "m-1"), sqs_message(sns_notification(inner), "m-2"))
    assert seen(unwrap(event)) == [(CREATED, "a"), (DELETED, "b")] * 2
    assert identifiers(event) == ["m-1", "m-1", "m-2", "m-2"]


def test_s3_through_sns_through_sqs_with_raw_delivery():
    assert seen(unwrap(lambda_event(sqs_message(lambda_event(UPLOAD))))) == [OBJECT]


def test_s3_through_eventbridge_through_sqs_with_the_key_left_alone():
    event = lambda_event(sqs_message(eventbridge("a+b%20c.jpg", "Object Deleted")))
    assert seen(unwrap(event)) == [(DELETED, "a+b%20c.jpg")]


def test_stream_records_in_messages_as_pipes_write_them_are_named_by_the_message():
    event = lambda_event(
        sqs_message(stream_record(keys={"id": "a"}), "m-1", group="a"),
        sqs_message(stream_record("REMOVE", keys={"id": "b"}, old={"id": "b"}), "m-2", group="b"),
    )
    assert seen(unwrap(event)) == [("INSERT", "a"), ("REMOVE", "b")]
    assert identifiers(event) == ["m-1", "m-2"]


def test_a_batch_that_pipes_hands_to_a_lambda_is_a_list():
    assert seen(unwrap([CHANGE, stream_record("REMOVE", keys={"id": "b"})])) == [ITEM, ("REMOVE", "b")]
    assert seen(unwrap([sqs_message(UPLOAD), sqs_message(CHANGE)])) == [OBJECT, ITEM]


def test_a_simplified_pointer_in_a_message():
    event = lambda_event(sqs_message({"bucket": "images-in", "key": "a+b"}, "m-1"))
    (record,) = unwrap(event)
    assert (record.event, record.bucket, record.key, record.identifier) == (CREATED, "images-in", "a+b", "m-1")


def test_mixed_events_are_read_in_their_order():
    event = lambda_event(CHANGE, UPLOAD, sqs_message(CHANGE), sns_record(lambda_event(UPLOAD)))
    assert seen(unwrap(event)) == [ITEM, OBJECT, ITEM, OBJECT]


@pytest.mark.parametrize(
    "payload",
    [
        lambda_event(sqs_message(TEST_EVENT)),
        lambda_event(sns_record(TEST_EVENT)),
        lambda_event(sqs_message(sns_notification(TEST_EVENT))),
    ],
)
def test_a_test_event_is_dropped_wherever_it_is(payload):
    assert list(unwrap(payload)) == []
    assert seen(unwrap([payload, CHANGE])) == [ITEM]


def other_store(source, key):
    return {**s3_record(key, "s3:ObjectCreated:Put"), "eventSource": source}


@pytest.mark.parametrize("source", ["minio:s3", "ceph:s3"])
def test_notifications_of_other_stores_are_those_of_s3(source):
    raw = other_store(source, "a.jpg")
    with_names = {
        "EventName": "s3:ObjectCreated:Put",
        "Key": "images-in/a.jpg",
        "Records": [raw],
    }  # MinIO's format
    payloads = [raw, with_names, sqs_message(with_names), sns_notification(with_names)]
    assert [seen(unwrap(payload)) for payload in payloads] == [[(CREATED, "a.jpg")]] * 4


TOKEN = "2336412f37fb687f5d51e6e241d09c805a5a57b30d712f794cc5f6a988666d92768dd60a747ba6f3beb71854e285d6ad0242"
URL = f"https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn&Token={TOKEN}"
CONFIRMATION = {
    "Type": "SubscriptionConfirmation",
    "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
    "Token": TOKEN,
    "TopicArn": "arn:aws:sns:us-west-2:123456789012:images-topic",
    "Message": f"You have chosen to subscribe to the topic.\nTo confirm the subscription, visit {URL}",
    "SubscribeURL": URL,
    "Timestamp": "2012-04-26T20:45:04.751Z",
    "SignatureVersion": "1",
    "Signature": "EXAMPLEpH+DcEwjAPg8O9mY8dReBSwksfg2S7WKQcikcNKWLQjwu6A4VbeS0QHVCkhRS7fUQvi2egU3N858fiTDN6bkk=",
    "SigningCertURL": "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233f.pem",
}


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("SubscriptionConfirmation", "confirm-subscription"),
        ("UnsubscribeConfirmation", "subscribe the queue again"),
    ],
)
@pytest.mark.parametrize("wrap", [lambda it: it, sqs_message, lambda it: lambda_event(sqs_message(it))])
def test_a_confirmation_of_sns_is_no_record_and_is_logged_without_its_token(kind, remedy, wrap, caplog):
    assert list(unwrap(wrap({**CONFIRMATION, "Type": kind}))) == []
    (line,) = caplog.records
    assert line.levelname == "WARNING"
    assert kind in line.getMessage()
    assert line.topic == CONFIRMATION["TopicArn"]
    assert remedy in line.remedy
    logged = repr(vars(line))
    assert TOKEN[:20] not in logged
    assert "Action=ConfirmSubscription" not in logged


@pytest.mark.parametrize("topic", [None, 5, ["x"], "x" * 10_000])
def test_a_confirmation_whose_topic_is_junk_floods_no_log(topic, caplog):
    assert list(unwrap({**CONFIRMATION, "TopicArn": topic})) == []
    (line,) = caplog.records
    assert len(line.topic) <= 256


@pytest.mark.parametrize("junk", [[], {}, [5], None, 7])
def test_an_event_source_that_is_no_text_is_no_reason_to_fail(junk):
    raw = {**s3_record("a.jpg"), "eventSource": junk, "EventSource": "aws:s3"}
    confirmation = {**CONFIRMATION, "Type": junk}
    found = list(unwrap([raw, confirmation, CHANGE]))
    assert len(found) == 3
    assert isinstance(found[2], TableRecord)


def test_records_of_a_stream_are_named_by_their_sequence_numbers():
    event = lambda_event(stream_record(sequence="111"), stream_record(sequence="222"))
    assert identifiers(event) == ["111", "222"]


def test_the_name_that_the_source_gives_the_whole_names_all_that_is_in_it():
    assert identifiers(lambda_event(CHANGE, UPLOAD, {"colour": "blue"}), "m-9") == ["m-9"] * 3


def test_a_message_inside_of_a_message_is_named_by_the_outer_one_which_is_what_the_queue_knows():
    inner = lambda_event(sqs_message(CHANGE, "inner"), sqs_message("{", "inner"))
    assert identifiers(lambda_event(sqs_message(inner, "outer"))) == ["outer", "outer"]
    assert [record.identifier for record in unwrap_text(json.dumps(inner), "outer")] == ["outer", "outer"]


def test_the_same_payload_as_text_gives_the_same_records():
    (record,) = unwrap_text(json.dumps(lambda_event(UPLOAD)), "m-1", "arn:queue")
    assert isinstance(record, ObjectRecord)
    assert (record.key, record.identifier) == ("a b.jpg", "m-1")


def test_a_dead_letter_is_the_record_that_it_keeps(tmp_path):
    streamed = TableRecord(
        {"eventName": "INSERT", "dynamodb": {"Keys": {"id": {"B": b"\0"}}, "SequenceNumber": "7"}},
        source=stream_arn("books"),
    )
    uploaded = next(unwrap(s3_record("a b.jpg"), "m-1"))
    DeadLetterFolder(tmp_path).store(
        [DeadLetter(record, "r", Result(Outcome.REJECTED)) for record in (streamed, uploaded)]
    )
    letters = [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
    found = {type(record).__name__: record for letter in letters for record in unwrap(letter)}
    assert found["TableRecord"].table == "books"
    assert found["TableRecord"].keys == {"id": b"\0"}
    assert found["ObjectRecord"].key == "a b.jpg"


def test_a_dead_letter_of_what_cannot_be_read_is_no_letter_of_a_letter():
    letter = {"format": 1, "route": "", "source": "queue q", "record": {"hello": 1}}
    (record,) = unwrap(letter)
    assert record.raw == {"hello": 1}


@pytest.mark.parametrize(
    "kept",
    [
        {"payload": json.dumps(lambda_event(CHANGE, UPLOAD))},  # from an event source mapping, as text
        {"requestPayload": lambda_event(CHANGE, UPLOAD)},  # from an asynchronous invocation
    ],
)
def test_an_event_that_lambda_gave_up_is_the_event_and_no_longer_in_order(kept):
    records = list(unwrap({"requestContext": {"condition": "RetryAttemptsExhausted"}, "version": "1.0", **kept}))
    assert seen(records) == [ITEM, OBJECT]
    assert not records[0].ordered
