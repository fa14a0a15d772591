"""An SQS queue as a source: long poll, delete what is done, leave the rest to the queue's redrive policy."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from threading import Event
from typing import Any

from ..context import Context
from ..dispatch import Report
from ..dispatch.failures import reaching, result_of
from ..dispatch.outcomes import Outcome
from ..errors import Halt
from ..records import Record
from .envelopes import unwrap_text
from .lambda_event import messages_to_keep
from .pauses import Pause

logger = logging.getLogger(__name__)


class QueueBatch:
    """The records of some messages. A message is deleted once all that it held is done."""

    def __init__(
        self,
        source: str,
        sqs: Any,
        url: str,
        messages: Sequence[Mapping[str, Any]],
        time_left: Callable[[], float],
    ):
        self.source = source
        self.time_left = time_left
        self._sqs = sqs
        self._url = url
        self._messages = messages
        self.records: Sequence[Record] = [
            record for message in messages for record in unwrap_text(message["Body"], message["MessageId"], source)
        ]

    def settle(self, report: Report) -> None:
        failed = {self.records[position].identifier for position in report.undone}
        groups = [(m["MessageId"], m.get("Attributes", {}).get("MessageGroupId")) for m in self._messages]
        keep = set(messages_to_keep(groups, failed))
        known = {message["MessageId"] for message in self._messages}
        done = [m for m in self._messages if m["MessageId"] not in keep] if failed <= known else []
        if not done:
            return
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(done)
        ]
        failures = self._delete(entries)
        if failures:  # they come again, which changes nothing
            logger.warning("messages not deleted", extra={"queue": self.source, "failures": failures})

    def _delete(self, entries: list[dict[str, str]]) -> str:
        """What went wrong, in words. Raises Halt where it would every time."""
        try:
            answer = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
        except Exception as error:
            result = result_of(error, f"{self.source}: deleting messages")
            if result.outcome is not Outcome.RETRY:
                raise Halt(result.reason) from error
            return result.reason
        return ", ".join(str(failure.get("Code")) for failure in answer.get("Failed", []))


class QueueSource:
    """Batches of the messages of one queue, until `stopping` is set."""

    def __init__(self, context: Context, queue: str, stopping: Event, clock: Callable[[], float] = time.monotonic):
        self.name = f"queue {queue}"
        self.workers = context.settings.queue_workers
        self._context = context
        self._queue = queue
        self._stopping = stopping
        self._clock = clock
        self._pause = Pause(self.name, stopping)

    def __iter__(self) -> Iterator[QueueBatch]:
        url = self._url()
        visible_after = self._visibility(url)
        while not self._stopping.is_set():
            asked = self._clock()
            messages = self._receive(url)
            if messages:
                left = partial(self._left, asked + visible_after)
                yield QueueBatch(self.name, self._context.sqs, url, messages, left)

    def _url(self) -> str:
        with reaching(self.name):
            sqs = self._context.sqs
            try:
                return str(sqs.get_queue_url(QueueName=self._queue)["QueueUrl"])
            except sqs.exceptions.QueueDoesNotExist as error:
                reason = f"the queue {self._queue} does not exist: create it, or correct READ_QUEUE"
                raise Halt(reason) from error

    def _left(self, deadline: float) -> float:
        return deadline - self._clock()

    def _visibility(self, url: str) -> float:
        """Seconds after which a message that was received is delivered again."""
        with reaching(self.name):
            answer = self._context.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        return float(answer["Attributes"]["VisibilityTimeout"])

    def _receive(self, url: str) -> Sequence[Mapping[str, Any]]:
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
            self._pause.longer(result.reason)
            return []
        self._pause.reset()
        messages: Sequence[Mapping[str, Any]] = answer.get("Messages", [])
        if not messages and not settings.poll_wait:
            self._stopping.wait(settings.poll_interval)
        return messages
