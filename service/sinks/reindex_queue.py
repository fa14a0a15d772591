"""Send the documents that one record cannot make again by itself to the task queue."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Any, Final

import orjson

from ..context import Context
from ..errors import Retry
from ..model import TableRecord
from ..model.reindex_task import ReindexTask
from ..pipeline.composite import Request
from ..pipeline.error_outcomes import reaching
from ..table_reads import take_time

AT_ONCE: Final = 10
"""Maximum messages of one request ("SendMessageBatch", SQS API Reference)."""

BYTES: Final = 25_000
"""Maximum bytes of the keys of one message, so that AT_ONCE of them fit in one request (262,144 bytes)."""

KEYS: Final = 250
"""Maximum keys of one message: documents that one worker makes without interruption."""


class ReindexQueue:
    """The task queue, for documents beyond the setting `reindex_inline`."""

    def __init__(self, context: Context, queue: str):
        """`queue` is the actual name of the task queue."""
        self._context = context
        self._queue = queue

    def send(self, requests: Iterable[Request]) -> None:
        """Send reindex tasks for all requests, which are read while they are sent.

        Raises Retry if the queue refuses a task, Unreachable, Halt, and OutOfTime.
        """
        with reaching(f"queue {self._queue}"):
            url = self._context.sqs.get_queue_url(QueueName=self._queue)["QueueUrl"]
        tasks = _tasks(requests)
        while batch := list(islice(tasks, AT_ONCE)):
            take_time()
            refused = send_messages(self._context, self._queue, url, [_text(task) for task in batch])
            if refused:
                raise Retry(f"queue {self._queue} rejected reindex tasks ({refused})")


def send_messages(context: Context, queue: str, url: str, bodies: Sequence[str]) -> str:
    """Send up to AT_ONCE messages. Return the error codes of those that the queue refuses, "" if it takes all.

    Raises Unreachable, Halt, and what boto3 raises.
    """
    entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    with reaching(f"queue {queue}"):
        answer = context.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    return ", ".join(sorted({str(failure.get("Code")) for failure in answer.get("Failed", [])}))


def _tasks(requests: Iterable[Request]) -> Iterator[ReindexTask]:
    """Yield tasks of consecutive requests of one route and one record, within the limits of a message."""
    for (route, created, sequence), group in groupby(requests, _origin):
        keys: list[Any] = []
        size = 0
        for _, _, record in group:
            key = record.typed_keys
            length = len(_json(key))
            if keys and (size + length > BYTES or len(keys) == KEYS):
                yield ReindexTask(route, tuple(keys), created, sequence)
                keys, size = [], 0
            keys.append(key)
            size += length
        yield ReindexTask(route, tuple(keys), created, sequence)


def _origin(request: Request) -> tuple[str, float | None, str]:
    bound, _, record = request
    assert isinstance(record, TableRecord)
    return bound.name, record.created, record.sequence_number


def _text(task: ReindexTask) -> str:
    return _json(task.payload).decode()


def _json(value: Any) -> bytes:
    return orjson.dumps(value, lambda binary: base64.b64encode(bytes(binary)).decode())
