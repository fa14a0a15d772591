"""Messages that one look through a queue keeps from everybody else, until it removes them or gives them back."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final

from .dead_letter import Kept, portable

LOOK: Final = 120
"""Seconds for which a message is invisible to others, once it was received or held on to."""

BATCH: Final = 10
"""Entries of one request ("ChangeMessageVisibilityBatch", "DeleteMessageBatch", SQS API Reference)."""


class Held:
    """The messages of each letter that were received and are still in the queue, by their receipts.

    The content of a letter identifies it: a message cannot hide or remove another by claiming its id.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic):
        self._monotonic = monotonic
        self._receipts: dict[bytes, list[str]] = {}
        self._removed: set[bytes] = set()
        self._late: list[str] = []
        self._extended = monotonic()

    def add(self, kept: Kept, receipt: str) -> bool:
        """Hold a message. True for the first of its letter."""
        name = content_of(kept)
        if name in self._removed:
            self._late.append(receipt)
            return False
        first = name not in self._receipts
        self._receipts.setdefault(name, []).append(receipt)
        return first

    def pop(self, kept: Kept) -> list[str]:
        """The receipts of a letter that is to be removed."""
        name = content_of(kept)
        self._removed.add(name)
        return self._receipts.pop(name, [])

    def late(self) -> list[str]:
        """The receipts of messages that came after their letter was removed."""
        late, self._late = self._late, []
        return late

    def extend(self, sqs: Any, url: str) -> None:
        """Keep all messages invisible for longer, once a third of their time is over. Raises what boto3 raises."""
        if self._monotonic() - self._extended > LOOK / 3:
            self._extended = self._monotonic()
            change_visibility(sqs, url, self._all(), LOOK)

    def give_back(self, sqs: Any, url: str) -> None:
        """Make all messages that are still held visible. Raises what boto3 raises."""
        change_visibility(sqs, url, self._all(), 0)
        self._receipts.clear()

    def _all(self) -> Iterator[str]:
        return (receipt for receipts in self._receipts.values() for receipt in receipts)


def content_of(kept: Kept) -> bytes:
    """A digest of what failed where. It is equal for each message of one record and route."""
    return hashlib.sha256(portable([kept.id, kept.route, kept.source, kept.record], layout=0)).digest()


def change_visibility(sqs: Any, url: str, receipts: Iterable[str], seconds: int) -> None:
    """Change how long messages stay invisible. SQS leaves out those that are visible already."""
    for entries in batched(receipts):
        more = [{**entry, "VisibilityTimeout": seconds} for entry in entries]
        sqs.change_message_visibility_batch(QueueUrl=url, Entries=more)


def delete(sqs: Any, url: str, receipts: Iterable[str]) -> None:
    """Delete messages by their receipts. Raises what boto3 raises."""
    for entries in batched(receipts):
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)


def batched(receipts: Iterable[str]) -> Iterator[list[dict[str, Any]]]:
    """Receipts as the entries of requests."""
    rest = iter(receipts)
    while some := list(islice(rest, BATCH)):
        yield [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(some)]
