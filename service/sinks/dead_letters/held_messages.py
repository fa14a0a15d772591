"""Queue messages that stay invisible to other consumers until they are removed or released."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final

from .dead_letter import StoredDeadLetter, portable

VISIBILITY_TIMEOUT: Final = 120
"""Visibility timeout in seconds of received messages, and of each extension."""

BATCH: Final = 10
"""Entries of one request ("ChangeMessageVisibilityBatch", "DeleteMessageBatch", SQS API Reference)."""


class Held:
    """The receipt handles of received messages that are still in the queue, by dead letter.

    A dead letter is identified by its content, so that a message cannot hide or remove another by claiming its id.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic):
        self._monotonic = monotonic
        self._receipts: dict[bytes, list[str]] = {}
        self._removed: set[bytes] = set()
        self._late: list[str] = []
        self._extended = monotonic()

    def add(self, kept: StoredDeadLetter, receipt: str) -> bool:
        """Hold a message. Return True if it is the first of its dead letter."""
        name = content_of(kept)
        if name in self._removed:
            self._late.append(receipt)
            return False
        first = name not in self._receipts
        self._receipts.setdefault(name, []).append(receipt)
        return first

    def pop(self, kept: StoredDeadLetter) -> list[str]:
        """Return the receipt handles of a dead letter that is to be removed."""
        name = content_of(kept)
        self._removed.add(name)
        return self._receipts.pop(name, [])

    def late(self) -> list[str]:
        """Return the receipt handles of messages received after their dead letter was removed."""
        late, self._late = self._late, []
        return late

    def extend(self, sqs: Any, url: str) -> None:
        """Extend the visibility timeout of all messages once a third of it is over. Raises what boto3 raises."""
        if self._monotonic() - self._extended > VISIBILITY_TIMEOUT / 3:
            self._extended = self._monotonic()
            change_visibility(sqs, url, self._all(), VISIBILITY_TIMEOUT)

    def give_back(self, sqs: Any, url: str) -> None:
        """Make all held messages visible again. Raises what boto3 raises."""
        change_visibility(sqs, url, self._all(), 0)
        self._receipts.clear()

    def _all(self) -> Iterator[str]:
        return (receipt for receipts in self._receipts.values() for receipt in receipts)


def content_of(kept: StoredDeadLetter) -> bytes:
    """Return a digest of the failed record and its route. It is equal for each message of one dead letter."""
    return hashlib.sha256(portable([kept.id, kept.route, kept.source, kept.record], layout=0)).digest()


def change_visibility(sqs: Any, url: str, receipts: Iterable[str], seconds: int) -> None:
    """Change the visibility timeout of messages, in seconds. Raises what boto3 raises.

    SQS ignores messages that are visible already.
    """
    for entries in batched(receipts):
        more = [{**entry, "VisibilityTimeout": seconds} for entry in entries]
        sqs.change_message_visibility_batch(QueueUrl=url, Entries=more)


def delete(sqs: Any, url: str, receipts: Iterable[str]) -> None:
    """Delete messages by their receipt handles. Raises what boto3 raises."""
    for entries in batched(receipts):
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)


def batched(receipts: Iterable[str]) -> Iterator[list[dict[str, Any]]]:
    """Yield receipt handles as the entries of batch requests."""
    rest = iter(receipts)
    while some := list(islice(rest, BATCH)):
        yield [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(some)]
