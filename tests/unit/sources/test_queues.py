"""A queue's message is deleted once all that it held is done, and not before."""

from __future__ import annotations

import json
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError
from builders import lambda_event, s3_record
from fakes import raising

from service.context import Context
from service.dispatch import Outcome, Report, Result
from service.errors import Halt, Unreachable
from service.settings import Settings
from service.sources.queues import QueueSource


class NoQueue(Exception):
    pass


class FakeQueue:
    class exceptions:
        QueueDoesNotExist = NoQueue

    def __init__(self, *bodies: Any, groups: dict[int, str] | None = None, missing: bool = False):
        self.messages = [
            {
                "MessageId": f"m{n}",
                "ReceiptHandle": f"r{n}",
                "Body": body if isinstance(body, str) else json.dumps(body),
                "Attributes": {"MessageGroupId": groups[n]} if groups else {},
            }
            for n, body in enumerate(bodies)
        ]
        self.deleted: list[str] = []
        self.trouble: list[Exception] = []
        self.undeletable = False
        self._missing = missing

    def get_queue_url(self, QueueName: str) -> Any:
        if self._missing:
            raise NoQueue
        return {"QueueUrl": f"http://x/{QueueName}"}

    def get_queue_attributes(self, **_: Any) -> Any:
        return {"Attributes": {"VisibilityTimeout": "30"}}

    def receive_message(self, **arguments: Any) -> Any:
        if self.trouble:
            raise self.trouble.pop(0)
        taken, self.messages = self.messages, []
        return {"Messages": taken} if taken else {}

    def delete_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> Any:
        if self.undeletable:
            return {"Failed": Entries}
        self.deleted += [entry["ReceiptHandle"] for entry in Entries]
        return {}


def settle(queue: FakeQueue, *outcomes: Outcome) -> list[Any]:
    """Receives one batch, settles it with these outcomes, and gives its records."""
    stopping = Event()
    context = Context(Settings(poll_interval=0, poll_wait=0), sqs=queue)
    source = QueueSource(context, "q", stopping)
    source._pause._shortest = 0.001
    for batch in source:
        stopping.set()
        batch.settle(Report([Result(outcome) for outcome in outcomes]))
        return list(batch.records)
    raise AssertionError("nothing was received")


def event(*keys: str) -> dict[str, Any]:
    return lambda_event(*map(s3_record, keys))


def test_what_is_done_is_deleted_and_what_is_not_is_left_to_the_queue():
    queue = FakeQueue(event("a"), event("b"), event("c"))
    settle(queue, Outcome.APPLIED, Outcome.RETRY, Outcome.REJECTED)
    assert queue.deleted == ["r0", "r2"]


def test_a_message_is_kept_while_one_of_its_records_is_not_done():
    queue = FakeQueue(event("a", "b"), event("c"))
    settle(queue, Outcome.APPLIED, Outcome.BLOCKED, Outcome.STALE)
    assert queue.deleted == ["r1"]


def test_a_message_without_records_is_deleted():
    queue = FakeQueue({"Service": "Amazon S3", "Event": "s3:TestEvent"})
    assert settle(queue) == []
    assert queue.deleted == ["r0"]


def test_a_message_that_is_not_json_is_a_record_of_its_own():
    (record,) = settle(FakeQueue("hello"), Outcome.REJECTED)
    assert (record.identifier, record.raw) == ("m0", "hello")


def test_of_a_fifo_group_nothing_behind_a_failure_is_deleted():
    queue = FakeQueue(event("a"), event("b"), event("c"), groups={0: "g", 1: "g", 2: "h"})
    settle(queue, Outcome.RETRY, Outcome.APPLIED, Outcome.APPLIED)
    assert queue.deleted == ["r2"]


def test_a_message_that_could_not_be_deleted_is_told_and_comes_again(caplog):
    queue = FakeQueue(event("a"))
    queue.undeletable = True
    settle(queue, Outcome.APPLIED)
    assert "messages not deleted" in caplog.text


def test_a_queue_that_does_not_answer_is_asked_again():
    queue = FakeQueue(event("a"))
    queue.trouble = [
        ConnectionError("refused"),
        ClientError({"Error": {"Code": "ThrottlingException"}}, "Receive"),
    ]
    assert len(settle(queue, Outcome.APPLIED)) == 1


def test_a_queue_that_is_missing_or_forbidden_halts_with_the_remedy():
    with pytest.raises(Halt, match="READ_QUEUE"):
        settle(FakeQueue(missing=True))
    queue = FakeQueue(event("a"))
    queue.trouble = [ClientError({"Error": {"Code": "AccessDenied"}}, "Receive")]
    with pytest.raises(Halt, match="permission"):
        settle(queue)


def test_a_message_is_kept_when_what_failed_in_it_has_another_name():
    queue = FakeQueue(event("a"))
    stopping = Event()
    source = QueueSource(Context(Settings(poll_interval=0, poll_wait=0), sqs=queue), "q", stopping)
    for batch in source:
        stopping.set()
        batch.records[0].identifier = "unknown"
        batch.settle(Report([Result(Outcome.RETRY)]))
    assert queue.deleted == []


def test_a_message_within_a_message_is_kept_while_its_record_is_not_done():
    inner = {"eventSource": "aws:sqs", "messageId": "inner", "body": json.dumps(event("a"))}
    queue = FakeQueue({"Records": [inner]})
    settle(queue, Outcome.RETRY)
    assert queue.deleted == []


@pytest.mark.parametrize(
    "error", [ConnectionError("reset"), ClientError({"Error": {"Code": "SlowDown"}}, "Delete")]
)
def test_a_deletion_that_fails_stops_nothing(caplog, error):
    queue = FakeQueue(event("a"))
    queue.delete_message_batch = raising(error)
    settle(queue, Outcome.APPLIED)
    assert "messages not deleted" in caplog.text


def test_a_deletion_that_is_forbidden_halts():
    queue = FakeQueue(event("a"))
    queue.delete_message_batch = raising(ClientError({"Error": {"Code": "AccessDenied"}}, "Delete"))
    with pytest.raises(Halt, match="permission"):
        settle(queue, Outcome.APPLIED)


def test_the_time_left_for_a_batch_is_that_of_its_messages_since_they_were_asked_for():
    stopping, now = Event(), [100.0]
    source = QueueSource(Context(Settings(), sqs=FakeQueue(event("a"))), "q", stopping, clock=lambda: now[0])
    for batch in source:
        stopping.set()
        assert batch.time_left() == 30.0
        now[0] += 12.5
        assert batch.time_left() == 17.5


def test_a_queue_that_cannot_be_reached_at_the_start_is_told():
    queue = FakeQueue()
    queue.get_queue_url = raising(ConnectionError("refused"))
    with pytest.raises(Unreachable, match="queue q"):
        settle(queue)
