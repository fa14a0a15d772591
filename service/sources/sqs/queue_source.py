"""An SQS queue as a source: long polling, deletion of acknowledged messages, the redrive policy for the others."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any

from ...context import Context
from ...errors import Halt, Unreachable
from ...model import Record
from ...model.outcomes import Outcome
from ...pipeline import SILENT, Delivery, Lag, Observer, Report
from ...pipeline.error_outcomes import reaching, result_of
from ...retry_policy import RetryPause
from ...routing.queue_declarations import Carried
from ..envelopes import unwrap_text
from ..lambda_event import messages_to_keep
from .visibility import Visibility

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Queue:
    """An existing queue and its attributes.

    - `visibility`: seconds for which a received message is invisible to other consumers.
    - `retention`: seconds for which the queue keeps a message.
    - `deliveries`: receives after which a message moves to the dead-letter queue.
    """

    sqs: Any
    url: str
    visibility: float
    retention: float
    deliveries: float


def find_queue(context: Context, name: str) -> Queue:
    """Return a queue. Raises Halt if it does not exist, and what boto3 raises."""
    url = url_of(context.sqs, name)
    wanted = ["VisibilityTimeout", "MessageRetentionPeriod", "RedrivePolicy"]
    found = context.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
    policy = json.loads(found.get("RedrivePolicy", "{}"))
    return Queue(
        context.sqs,
        url,
        visibility=max(float(found["VisibilityTimeout"]), 1.0),
        retention=float(found.get("MessageRetentionPeriod", math.inf)),
        deliveries=float(policy.get("maxReceiveCount", math.inf)),
    )


def deliveries(message: Mapping[str, Any]) -> int:
    """Return how often a message was delivered, including this time."""
    return int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))


class QueueBatch:
    """The records of some messages. A message is deleted once all of its records are acknowledged."""

    def __init__(
        self,
        source: str,
        queue: Queue,
        messages: Sequence[Mapping[str, Any]],
        visibility: Visibility,
        since: float,
        observer: Observer,
        carried: Carried | None = None,
    ):
        """`since` is the time of the receive request, by the clock of `visibility`.

        `carried` declares the contents of the queue. None accepts everything, for a queue whose records are all
        re-read.
        """
        self._source = source
        self._queue = queue
        self._observer = observer
        self._messages = messages
        self._visibility = visibility
        self._hold = visibility.hold([message["ReceiptHandle"] for message in messages], since)
        with observer.step("decode", source, messages):
            found = [r for m in messages for r in unwrap_text(m["Body"], m["MessageId"], source)]
            self.records: Sequence[Record] = list(map(carried.judged, found)) if carried else found

    @property
    def delivery(self) -> Delivery:
        """The records. They have no lease: if two consumers receive a message, versions keep the index correct."""
        return Delivery(self.records, self._source, retry_time=self._hold.time_left())

    def settle(self, report: Report) -> None:
        """Delete the acknowledged messages, and leave the others to the queue.

        Raises Halt if no message can be deleted.
        """
        failed = {self.records[position].identifier for position in report.undone}
        groups = [(m["MessageId"], m.get("Attributes", {}).get("MessageGroupId")) for m in self._messages]
        keep = set(messages_to_keep(groups, failed))
        known = {message["MessageId"] for message in self._messages}
        done = [m for m in self._messages if m["MessageId"] not in keep] if failed <= known else []
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(done)
        ]
        failures = self._delete(entries) if entries else ""
        if failures:  # they are redelivered, which changes nothing
            logger.warning("messages not deleted", extra={"queue": self._source, "failures": failures})
        self._visibility.release(self._hold)
        spent = sum(1 for m in self._messages if m not in done and deliveries(m) >= self._queue.deliveries)
        if spent:
            self._observer.given_up(self._source, spent)

    def _delete(self, entries: list[dict[str, str]]) -> str:
        """Delete messages and return the failures as text. Raises Halt if a retry cannot succeed."""
        try:
            answer = self._queue.sqs.delete_message_batch(QueueUrl=self._queue.url, Entries=entries)
        except Exception as error:
            result = result_of(error, f"{self._source}: deleting messages")
            if result.outcome is not Outcome.RETRY:
                raise Halt(result.reason) from error
            return result.reason
        return ", ".join(str(failure.get("Code")) for failure in answer.get("Failed", []))


def dead_letter_queue(context: Context, queue: str) -> str:
    """Return the name of the dead-letter queue in a queue's redrive policy. Raises Halt without one."""
    with reaching(f"queue {queue}"):
        sqs = context.sqs
        answer = sqs.get_queue_attributes(QueueUrl=url_of(sqs, queue), AttributeNames=["RedrivePolicy"])
    policy = answer.get("Attributes", {}).get("RedrivePolicy")
    if not policy:
        raise Halt(f"queue {queue} has no dead-letter queue. Add a redrive policy to it.")
    return str(json.loads(policy)["deadLetterTargetArn"]).rpartition(":")[2]


def url_of(sqs: Any, queue: str) -> str:
    """Return the URL of a queue. Raises Halt if it does not exist, and what boto3 raises."""
    try:
        return str(sqs.get_queue_url(QueueName=queue)["QueueUrl"])
    except sqs.exceptions.QueueDoesNotExist as error:
        raise Halt(f"the queue {queue} does not exist. Create it, or correct READ_QUEUE.") from error


class QueueSource:
    """Batches of the messages of one queue, until `stopping` is set or, with `drains`, until it is empty."""

    def __init__(
        self,
        context: Context,
        queue: str,
        stopping: Event,
        clock: Callable[[], float] = time.monotonic,
        drains: bool = False,
        observer: Observer = SILENT,
        carried: Carried | None = None,
    ):
        """`carried` declares the contents of the queue: anything else becomes a dead letter."""
        self.name = f"queue {queue}"
        self._carried = carried
        self.workers = context.settings.queue_workers
        self._context = context
        self._named = queue
        self._stopping = stopping
        self._clock = clock
        self._drains = drains
        self._observer = observer
        self._lock = Lock()
        self._opened: tuple[Queue, Visibility] | None = None
        self._oldest: float | None = None
        self.trouble = ""

    def lag(self) -> Lag:
        """Return the lag of the oldest message that was received last: SQS does not report more."""
        oldest, opened = self._oldest, self._opened
        if oldest is None or opened is None:
            return Lag()
        unread = max(time.time() - oldest, 0.0)
        return Lag(unread, max(opened[0].retention - unread, 0.0))

    def __iter__(self) -> Iterator[QueueBatch]:
        try:
            yield from self._batches()
        except (Halt, Unreachable) as error:
            self.trouble = str(error)
            raise

    def _batches(self) -> Iterator[QueueBatch]:
        queue, visibility = self._open()
        pause = RetryPause(self.name, self._stopping)
        while not self._stopping.is_set():
            asked = self._clock()
            messages = self._receive(queue.url, pause)
            if messages:
                yield QueueBatch(self.name, queue, messages, visibility, asked, self._observer, self._carried)
            elif messages is not None and self._drains:
                self._stopping.set()

    def _open(self) -> tuple[Queue, Visibility]:
        """Return the queue, and the thread that extends visibility timeouts. All workers share both."""
        with self._lock, reaching(self.name):
            if self._opened is None:
                queue = find_queue(self._context, self._named)
                visibility = Visibility(queue.sqs, queue.url, queue.visibility, self._stopping, self._clock)
                visibility.start()
                self._opened = queue, visibility
            return self._opened

    def _look_at(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Record the age of the oldest message, and report redelivered messages."""
        sent = [m["Attributes"]["SentTimestamp"] for m in messages if "SentTimestamp" in m.get("Attributes", {})]
        self._oldest = min(map(float, sent)) / 1000 if sent else None
        again = sum(1 for message in messages if deliveries(message) > 1)
        if again:
            self._observer.redelivered(self.name, again)

    def _receive(self, url: str, pause: RetryPause) -> Sequence[Mapping[str, Any]] | None:
        """Return the next messages; None if the queue cannot be reached. Raises Halt."""
        settings = self._context.settings
        try:
            answer = self._context.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=settings.poll_batch_size,
                WaitTimeSeconds=settings.poll_wait,
                AttributeNames=["All"],
            )
        except Exception as error:
            result = result_of(error, self.name)
            if result.outcome is not Outcome.RETRY:
                raise Halt(result.reason) from error
            pause.longer(result.reason)
            return None
        pause.reset()
        self.trouble = ""
        messages: Sequence[Mapping[str, Any]] = answer.get("Messages", [])
        self._look_at(messages)
        if not messages and not settings.poll_wait:
            self._stopping.wait(settings.poll_interval)
        return messages
