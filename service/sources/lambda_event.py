"""A Lambda event as a batch, and the answer to its event source.

Sources: "Reporting batch item failures" for DynamoDB streams and for SQS (Lambda Developer Guide). S3, SNS and
EventBridge ignore the answer of a function.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from ..deadline import deadline_of
from ..errors import StreamdexError
from ..model import Record, Undecodable
from ..model.backfill_task import TaskRecord
from ..pipeline import SILENT, Delivery, Lag, Observer, Report
from ..routing.queue_declarations import Carried, Queues
from ..timing import RETENTION
from .envelopes import unwrap

Answer: TypeAlias = dict[str, list[dict[str, str]]]

ENTRY: Final = (dict, Mapping)  # events contain dicts, which this order recognises four times faster

STREAM = "aws:dynamodb"
QUEUE = "aws:sqs"
TOPIC = "aws:sns"


class LambdaBatch:
    """The records of one event. Raises UnknownEvent for an event without any known payload."""

    def __init__(
        self,
        event: Any,
        invocation: Any = None,
        events: Collection[str] = (),
        queues: Queues | None = None,
        observer: Observer = SILENT,
    ):
        """`invocation` is the Lambda context.

        With `events`, such as {"ObjectCreated"}, records of other events count as acknowledged. `queues` declares
        the contents of queues and topics: anything else in their messages becomes a dead letter.
        """
        self._event = event
        self._invocation = invocation
        self.answer: Answer | None = None
        self._entries = entries_of(event)
        # Mappings never mix sources, and other callers are trusted.
        self._from_stream = bool(self._entries) and self._entries[0].get("eventSource") == STREAM
        with observer.step("decode", "event", self._entries):
            found = judged(event, self._entries, queues) if queues and not self._from_stream else unwrap(event)
            self.records: Sequence[Record] = [
                record
                for record in found
                if not events or isinstance(record, Undecodable) or record.event in events
            ]
        self.source = f"lambda {self._kinds()}"
        self.answers = self._from_stream or any(
            entry.get("eventSource") in (STREAM, QUEUE) for entry in self._entries
        )
        """True if the caller reads partial-batch responses (streams and SQS). Other callers never redeliver."""

    @property
    def delivery(self) -> Delivery:
        """The records. Every request for them ends before the invocation does."""
        return Delivery(
            self.records,
            self.source,
            deadline=deadline_of(self._invocation),
            redelivers=self.answers,
            invocation=self._invocation,
        )

    @property
    def has_tasks(self) -> bool:
        """True if the event contains backfill tasks from the task queue."""
        return not self._from_stream and any(isinstance(one, TaskRecord) and one.queue for one in self.records)

    def lag(self, now: float) -> Lag:
        """Return the age of the oldest record and, for a stream, its time left; `now` is in Unix seconds."""
        made = [record.created for record in self.records if record.created is not None]
        unread = max(now - min(made), 0.0) if made else 0.0
        return Lag(unread, max(RETENTION - unread, 0.0) if self._from_stream else math.inf)

    def settle(self, report: Report) -> None:
        """Set `answer` to the partial-batch response: the identifiers of the records to redeliver.

        It is None for a caller that reads no response. Raises StreamdexError if one of these records has no
        identifier, so that the whole batch is redelivered.
        """
        if self.answers:
            self.answer = {"batchItemFailures": self._failures(report.undone) if report.undone else []}

    def _failures(self, undone: Sequence[int]) -> list[dict[str, str]]:
        failed = {id(record): record for record in (self.records[position] for position in undone)}
        names = {record.identifier for record in failed.values()}
        streamed = self._streamed(list(failed.values()))
        messages = self._messages(names)
        if "" in names or not names <= {*streamed, *messages}:
            raise StreamdexError(
                "an unfinished record has no identifier in the event: the whole batch is redelivered"
            )
        again = [*messages, *lowest(streamed)]
        return [{"itemIdentifier": name} for name in again]

    def _streamed(self, failed: Sequence[Record]) -> list[str]:
        in_streams = {id(entry) for entry in self._entries if entry.get("eventSource") == STREAM}
        return [record.identifier for record in failed if id(record.raw) in in_streams]

    def _messages(self, names: set[str]) -> list[str]:
        messages = [
            (str(entry.get("messageId")), group_of(entry.get("attributes")))
            for entry in self._entries
            if entry.get("eventSource") == QUEUE
        ]
        return messages_to_keep(messages, names)

    def _kinds(self) -> str:
        entries = self._entries or ([self._event] if isinstance(self._event, Mapping) else [])
        return "+".join(sorted({kind_of(entry) for entry in entries})) or "event"


def entries_of(event: Any) -> list[Mapping[str, Any]]:
    """Return the records or messages of an event; an empty list if it has another shape."""
    entries = event.get("Records") if isinstance(event, Mapping) else event
    return [entry for entry in entries if isinstance(entry, ENTRY)] if isinstance(entries, list) else []


def kind_of(entry: Mapping[str, Any]) -> str:
    """Return the source of an entry without `aws:`, such as "dynamodb"; "record" if it names none."""
    named = entry.get("eventSource", entry.get("EventSource", entry.get("source")))
    return named.replace("aws:", "") if isinstance(named, str) else "record"


def judged(event: Any, entries: Sequence[Mapping[str, Any]], queues: Queues) -> Iterator[Record]:
    """Yield the records of an event. A record that its queue may not carry becomes a dead letter.

    A queue is identified by its ARN, which Lambda writes into each message. Direct callers of the function are
    trusted. Raises UnknownEvent.
    """
    entries = entries or ([event] if isinstance(event, Mapping) else [])
    if not any(carrier_of(entry, queues) for entry in entries):
        yield from unwrap(event)
        return
    for entry in entries:
        carried = carrier_of(entry, queues)
        for record in unwrap({"Records": [entry]}):
            yield carried.judged(record) if carried else record


def carrier_of(entry: Mapping[str, Any], queues: Queues) -> Carried | None:
    """Return the declared contents of the queue or topic that an entry comes from; None for other entries."""
    if entry.get("eventSource") == QUEUE:
        return queues.carried(name_in(entry.get("eventSourceARN")))
    if entry.get("EventSource") == TOPIC or entry.get("eventSource") == TOPIC:
        notification = entry.get("Sns")
        return queues.topic(name_in(notification.get("TopicArn") if isinstance(notification, Mapping) else None))
    return None


def name_in(arn: Any) -> str:
    """Return the name of a queue or topic from its ARN; "" if it is not an ARN."""
    return arn.rpartition(":")[2] if isinstance(arn, str) else ""


def lowest(numbers: Sequence[str]) -> list[str]:
    """Return the lowest sequence number. Lambda redelivers that record and all later ones."""
    return [min(numbers, key=lambda number: (len(number), number))] if numbers else []


def group_of(attributes: Any) -> str | None:
    """Return the group of a FIFO message from its attributes; None for a standard queue."""
    group = attributes.get("MessageGroupId") if isinstance(attributes, Mapping) else None
    return group if isinstance(group, str) else None


def messages_to_keep(messages: Sequence[tuple[str, str | None]], failed: set[str]) -> list[str]:
    """Return the ids of the messages to redeliver. `messages` are (id, group) pairs in order.

    These are the failed messages and, in a FIFO queue, all later messages of their groups.
    """
    keep, broken = [], set()
    for name, group in messages:
        if name in failed or (group is not None and group in broken):
            keep.append(name)
            broken.add(group)
    return keep
