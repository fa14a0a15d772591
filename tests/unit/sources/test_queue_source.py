"""The queue source: a message is deleted once all its records are finished, and not before."""

from __future__ import annotations

import json
import time
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError
from builders import lambda_event, s3_record
from fakes import FakeQueue, raising

from service.context import Context
from service.errors import Halt, Unreachable
from service.pipeline import SILENT, Observer, Outcome, Report, Result
from service.settings import Settings
from service.sources.sqs.queue_source import QueueSource, dead_letter_queue
from service.sources.sqs.visibility import Visibility


def settle(queue: FakeQueue, *outcomes: Outcome, observer: Observer = SILENT) -> list[Any]:
    """Receive one batch, settle it with these outcomes, and return its records."""
    stopping = Event()
    context = Context(Settings(poll_interval=0, poll_wait=0), sqs=queue)
    source = QueueSource(context, "q", stopping, observer=observer)
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


def test_a_confirmation_of_sns_is_deleted_and_the_others_are_read(caplog):
    topic = "arn:aws:sns:us-west-2:123456789012:images-topic"
    confirmation = {
        "Type": "SubscriptionConfirmation",
        "TopicArn": topic,
        "Token": "t",
        "SubscribeURL": "https://x/",
    }
    queue = FakeQueue(confirmation, event("a"))
    (record,) = settle(queue, Outcome.APPLIED)
    assert (record.key, queue.deleted) == ("a", ["r0", "r1"])
    assert [line.topic for line in caplog.records] == [topic]


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
        assert batch.delivery.retry_time == 30.0
        now[0] += 12.5
        assert batch.delivery.retry_time == 17.5


class Held:
    """A batch in progress, its queue and the clock."""

    def __init__(self) -> None:
        self.queue, self.now, self.stopping = FakeQueue(event("a"), event("b")), [100.0], Event()
        clock = self.now.__getitem__
        source = QueueSource(Context(Settings(), sqs=self.queue), "q", self.stopping, clock=lambda: clock(0))
        self.batch = next(iter(source))
        _, self.visibility = source._open()


@pytest.fixture
def held():
    made = Held()
    yield made
    made.stopping.set()


def test_the_redelivery_of_what_is_worked_on_is_put_off(held):
    held.now[0] += 20.0
    held.visibility.put_off()
    assert held.queue.put_off == [("r0", 30), ("r1", 30)]
    assert held.batch.delivery.retry_time == 30.0


@pytest.mark.parametrize("failing", ["answers", "raises"])
def test_a_redelivery_that_cannot_be_put_off_leaves_the_time_that_there_was(held, failing, caplog):
    if failing == "answers":
        held.queue.unmovable = [{"Id": "0"}]
    else:
        held.queue.change_message_visibility_batch = raising(ConnectionError("reset"))
    held.now[0] += 20.0
    held.visibility.put_off()
    assert held.batch.delivery.retry_time == 10.0


@pytest.mark.parametrize("answer", [None, [], "text", 7])
def test_an_answer_of_another_shape_puts_nothing_off_and_the_other_batches_are(held, answer):
    other = held.visibility.hold(["other"], held.now[0])
    answers = {"r0": answer, "other": {}}
    held.queue.change_message_visibility_batch = lambda QueueUrl, Entries: answers[Entries[0]["ReceiptHandle"]]
    held.now[0] += 20.0
    held.visibility.put_off()
    assert held.batch.delivery.retry_time == 10.0
    assert other.time_left() == 30.0


def test_what_is_settled_is_not_put_off_any_longer(held):
    held.batch.settle(Report([Result(Outcome.APPLIED), Result(Outcome.RETRY)]))
    held.visibility.put_off()
    assert held.queue.put_off == []


def test_it_is_put_off_again_and_again_until_the_service_stops():
    queue, stopping = FakeQueue(), Event()
    visibility = Visibility(queue, "http://x/q", 0.03, stopping)
    visibility.hold(["r"], time.monotonic())
    visibility.start()
    eventually = time.monotonic() + 5
    while len(queue.put_off) < 3 and time.monotonic() < eventually:
        time.sleep(0.005)
    stopping.set()
    visibility.join(5)
    assert len(queue.put_off) >= 3
    assert not visibility.is_alive()


def test_a_queue_that_is_drained_ends_when_it_is_empty():
    source = QueueSource(Context(Settings(), sqs=FakeQueue(event("a"))), "q", Event(), drains=True)
    assert len(list(source)) == 1


def test_a_queue_that_cannot_be_reached_at_the_start_is_told():
    queue = FakeQueue()
    queue.get_queue_url = raising(ConnectionError("refused"))
    with pytest.raises(Unreachable, match="queue q"):
        settle(queue)


def test_a_queue_says_what_troubles_it_until_it_can_be_read_again():
    queue, stopping = FakeQueue(event("a")), Event()
    source = QueueSource(Context(Settings(), sqs=queue), "q", stopping)
    queue.trouble = [ClientError({"Error": {"Code": "AccessDenied"}}, "Receive")]
    with pytest.raises(Halt):
        next(iter(source))
    assert "permission" in source.trouble
    next(iter(source))
    assert source.trouble == ""
    stopping.set()


class Heard(Observer):
    def __init__(self) -> None:
        self.again: list[tuple[str, int]] = []
        self.spent: list[tuple[str, int]] = []

    def redelivered(self, source: str, messages: int) -> None:
        self.again.append((source, messages))

    def given_up(self, source: str, messages: int) -> None:
        self.spent.append((source, messages))


@pytest.mark.parametrize(
    ("received", "again", "spent"), [("1", [], []), ("2", [("queue q", 2)], []), ("3", [("queue q", 2)], [1])]
)
def test_messages_that_come_again_and_those_that_fail_for_the_last_time_are_told(received, again, spent):
    queue, heard = FakeQueue(event("a"), event("b"), ApproximateReceiveCount=received), Heard()
    queue.attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": "arn:x:dlq", "maxReceiveCount": 3})
    settle(queue, Outcome.APPLIED, Outcome.RETRY, observer=heard)
    assert heard.again == again
    assert [count for _, count in heard.spent] == spent


def test_without_a_redrive_policy_no_message_is_ever_given_up():
    queue, heard = FakeQueue(event("a"), ApproximateReceiveCount="999"), Heard()
    settle(queue, Outcome.RETRY, observer=heard)
    assert heard.spent == []


def test_a_queue_is_as_far_behind_as_the_oldest_message_that_came():
    sent = str(int((time.time() - 600) * 1000))
    queue, stopping = FakeQueue(event("a"), SentTimestamp=sent), Event()
    queue.attributes["MessageRetentionPeriod"] = "3600"
    source = QueueSource(Context(Settings(poll_wait=0), sqs=queue), "q", stopping, drains=True)
    assert source.lag().unread == 0
    batches = iter(source)
    next(batches)
    assert 600 <= source.lag().unread < 660
    assert 2940 < source.lag().left <= 3000
    assert list(batches) == []
    assert source.lag().unread == 0


def test_the_dead_letter_queue_is_that_of_the_redrive_policy():
    queue = FakeQueue()
    with pytest.raises(Halt, match="queue q has no dead-letter queue"):
        dead_letter_queue(Context(Settings(), sqs=queue), "q")
    policy = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 3}
    queue.attributes["RedrivePolicy"] = json.dumps(policy)
    assert dead_letter_queue(Context(Settings(), sqs=queue), "q") == "dead"
