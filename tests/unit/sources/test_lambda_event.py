"""The response to a Lambda event source: exactly the records to redeliver, and only ids from the event."""

from __future__ import annotations

import json

import pytest
from builders import eventbridge, lambda_event, s3_record, sns_record, sqs_message, stream_record
from fakes import Uploads

from service.errors import StreamdexError, UnknownEvent
from service.model import Undecodable
from service.pipeline import Outcome, Report, Result
from service.routing import Router
from service.routing.queue_declarations import Queues
from service.settings import Settings
from service.sources.lambda_event import LambdaBatch

DONE, RETRY, BLOCKED = (Result(outcome) for outcome in (Outcome.APPLIED, Outcome.RETRY, Outcome.BLOCKED))


def answer(event, *results):
    batch = LambdaBatch(event)
    assert len(batch.records) == len(results)
    batch.settle(Report(results))
    return [failure["itemIdentifier"] for failure in batch.answer["batchItemFailures"]]


def numbered(*numbers: str):
    return lambda_event(*[stream_record(new={"id": n}, sequence=n) for n in numbers])


def test_success_is_an_empty_list():
    assert answer(numbered("1"), DONE) == []


def test_a_stream_answers_the_lowest_sequence_number_alone():
    event = numbered("900", "1000", "1100")
    assert answer(event, DONE, RETRY, BLOCKED) == ["1000"]
    assert answer(event, RETRY, DONE, RETRY) == ["900"]


def test_a_queue_answers_each_failed_message_once():
    event = lambda_event(
        sqs_message(lambda_event(s3_record("a"), s3_record("b")), "m-1"),
        sqs_message(lambda_event(s3_record("c")), "m-2"),
        sqs_message(lambda_event(s3_record("d")), "m-3"),
    )
    assert answer(event, RETRY, RETRY, DONE, BLOCKED) == ["m-1", "m-3"]


def test_a_fifo_queue_answers_the_first_failure_of_a_group_and_all_that_follows_in_it():
    event = lambda_event(
        *[
            sqs_message(stream_record(new={"id": name}), name, group)
            for name, group in (("1", "g"), ("2", "h"), ("3", "g"), ("4", "h"), ("5", "g"))
        ]
    )
    assert answer(event, DONE, DONE, RETRY, DONE, DONE) == ["3", "5"]


def test_a_stream_record_in_a_message_is_named_by_the_message():
    event = lambda_event(sqs_message(stream_record(new={"id": "a"}, sequence="77"), "m-1"))
    assert answer(event, RETRY) == ["m-1"]


def test_a_mixed_event_answers_each_in_its_own_way():
    event = lambda_event(
        stream_record(new={"id": "a"}, sequence="5"),
        sqs_message(lambda_event(s3_record("a")), "m-1"),
        stream_record(new={"id": "b"}, sequence="6"),
    )
    assert sorted(answer(event, RETRY, RETRY, RETRY)) == ["5", "m-1"]


def test_a_record_that_must_come_again_and_has_no_name_fails_the_whole_batch():
    nameless = stream_record(new={"id": "a"})
    del nameless["dynamodb"]["SequenceNumber"]
    batch = LambdaBatch(lambda_event(nameless))
    with pytest.raises(StreamdexError):
        batch.settle(Report([RETRY]))


@pytest.mark.parametrize(
    "event",
    [lambda_event(s3_record("a")), lambda_event(sns_record(lambda_event(s3_record("a")))), eventbridge("a")],
)
def test_s3_sns_and_eventbridge_read_no_answer(event):
    batch = LambdaBatch(event)
    assert len(batch.records) == 1
    assert not batch.answers


def test_streams_and_queues_read_the_answer():
    assert LambdaBatch(numbered("1")).answers
    assert LambdaBatch(lambda_event(sqs_message("{}", "m"))).answers


def test_records_of_other_events_are_left_alone_and_count_as_done():
    event = lambda_event(s3_record("a"), s3_record("b", "ObjectRemoved:Delete"))
    batch = LambdaBatch(event, events={"ObjectDeleted"})
    assert [record.key for record in batch.records] == ["b"]


def test_of_an_event_with_messages_and_notifications_only_the_messages_are_judged_by_their_queue():
    queues = Queues(Settings(read_queue=["images-queue=bucket/images-in"]), Router([Uploads()]))
    event = lambda_event(sqs_message(stream_record()), s3_record("a"))
    forged, upload = LambdaBatch(event, queues=queues).records
    assert isinstance(forged, Undecodable)
    assert upload.key == "a"


@pytest.mark.parametrize("event", [{}, {"hello": 1}, "text", None, 7])
def test_an_event_with_nothing_known_is_a_clear_error(event):
    with pytest.raises(UnknownEvent, match="expected"):
        LambdaBatch(event)


@pytest.mark.parametrize(
    ("event", "source"),
    [(numbered("1"), "lambda dynamodb"), (eventbridge("a"), "lambda aws.s3"), ([], "lambda event")],
)
def test_the_batch_is_named_by_what_came(event, source):
    assert LambdaBatch(event).source == source


def test_a_message_within_a_message_is_named_by_the_one_that_the_queue_knows():
    inner = {"eventSource": "aws:sqs", "messageId": "inner", "body": json.dumps(lambda_event(s3_record("a")))}
    assert answer(lambda_event(sqs_message(lambda_event(inner), "outer")), RETRY) == ["outer"]


def test_a_failure_that_the_source_has_no_name_for_fails_the_whole_batch():
    event = lambda_event(
        sqs_message(lambda_event(s3_record("a")), "m-1"), {"messageId": "stray", **s3_record("b")}
    )
    batch = LambdaBatch(event)
    with pytest.raises(StreamdexError, match="whole batch"):
        batch.settle(Report([DONE, RETRY]))


@pytest.mark.parametrize("attributes", [5, "text", None, [], {"MessageGroupId": 7}])
def test_odd_attributes_of_a_message_are_no_group(attributes):
    message = sqs_message(lambda_event(s3_record("a")), "m-1") | {"attributes": attributes}
    assert answer(lambda_event(message), RETRY) == ["m-1"]
