"""Dead letters in an SQS queue, a message each; what is too large for one goes to a bucket, with a pointer."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ...context import Context
from ...dispatch import Letter
from ...dispatch.failures import describe, reaching
from ...errors import Halt
from .bucket import LetterBucket
from .envelope import Kept, seal, unsealed
from .folder import now

logger = logging.getLogger(__name__)

LARGEST: Final = 262_144
"""Bytes of a message that every queue takes; some take more since 2025 ("Amazon SQS message quotas")."""

LOOK: Final = 120
"""Seconds for which letters that are looked through are invisible to others."""


class LetterQueue:
    """`sqs://queue`. Standard queues keep a letter that is stored again twice; looking through shows it once.

    Messages that are looked through become visible again when the look ends.
    """

    def __init__(
        self,
        context: Context,
        queue: str,
        large: LetterBucket | None,
        clock: Callable[[], datetime] = now,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        """`large` takes what is larger than a message may be."""
        self._context = context
        self._queue = queue
        self._large = large
        self._clock = clock
        self._monotonic = monotonic
        self._address = ""
        self._receipts: dict[str, list[str]] = {}
        self._pointers: dict[str, Kept] = {}

    def store(self, letters: Sequence[Letter]) -> None:
        for letter in letters:
            name, text = seal(letter, self._clock())
            if len(text) > LARGEST:
                text = self._point(name, text)
            extra = (
                {"MessageGroupId": name, "MessageDeduplicationId": name} if self._queue.endswith(".fifo") else {}
            )
            try:
                self._context.sqs.send_message(QueueUrl=self._url(), MessageBody=allowed(text.decode()), **extra)
            except Halt:
                raise
            except Exception as error:
                raise Halt(
                    f"dead letters cannot be kept in queue {self._queue}: {describe(error)};"
                    " see STREAMDEX_DEAD_LETTERS"
                ) from error

    def letters(self, prefix: str = "") -> Generator[Kept, None, None]:
        """What is kept, each once; with a `prefix` only the letters whose id begins so.

        It looks for LOOK seconds at most, after which messages would come twice.
        """
        seen: set[str] = set()
        began = self._monotonic()
        try:
            while self._monotonic() - began < LOOK / 2:
                answer = self._context.sqs.receive_message(
                    QueueUrl=self._url(), MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=LOOK
                )
                messages = answer.get("Messages", [])
                if not messages:
                    return
                found = list(self._read_all(messages))
                for message, kept in found:  # all before the first is shown: who looks may stop at it
                    self._receipts.setdefault(kept.id, []).append(message["ReceiptHandle"])
                for _, kept in found:
                    if kept.id not in seen and kept.id.startswith(prefix):
                        seen.add(kept.id)
                        yield kept
        finally:
            self._let_go()

    def remove(self, kept: Kept) -> None:
        for receipt in self._receipts.pop(kept.id, []):
            self._context.sqs.delete_message(QueueUrl=self._url(), ReceiptHandle=receipt)
        if kept.id in self._pointers and self._large is not None:
            self._large.remove(self._pointers.pop(kept.id))

    def _point(self, name: str, text: bytes) -> bytes:
        if self._large is None:
            raise Halt(
                f"a dead letter of {len(text)} bytes is too large for queue {self._queue}: set"
                " STREAMDEX_DEAD_LETTERS_LARGE=s3://BUCKET/PREFIX for such"
            )
        return json.dumps({"pointer": self._large.put(name, text)}).encode()

    def _read_all(self, messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Kept]]:
        for message in messages:
            for kept in self._read(message["Body"], message["MessageId"]):
                yield message, kept

    def _read(self, body: str, name: str) -> Iterator[Kept]:
        where = f"message {name} of queue {self._queue}"
        pointer = pointer_in(body)
        if pointer is None or self._large is None:
            yield from unsealed(body, where)
            return
        text = self._large.find(pointer)
        if text is None:  # removed by a redrive that found another message of the same letter
            logger.warning("left alone: its object is gone", extra={"where": where, "object": pointer})
            return
        for kept in unsealed(text, where):
            self._pointers[kept.id] = kept
            yield kept

    def _let_go(self) -> None:
        """Gives back what was not removed."""
        for receipts in self._receipts.values():
            for receipt in receipts:
                self._context.sqs.change_message_visibility(
                    QueueUrl=self._url(), ReceiptHandle=receipt, VisibilityTimeout=0
                )
        self._receipts.clear()

    def _url(self) -> Any:
        if not self._address:
            with reaching(f"the queue {self._queue} of the dead letters"):
                try:
                    self._address = self._context.sqs.get_queue_url(QueueName=self._queue)["QueueUrl"]
                except self._context.sqs.exceptions.QueueDoesNotExist as error:
                    raise Halt(f"the queue {self._queue} of the dead letters does not exist: create it") from error
        return self._address


def allowed(text: str) -> str:
    """The same JSON without the two characters that a message must not have ("SendMessage", SQS API Reference)."""
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def pointer_in(body: str) -> str | None:
    """The key of the object that a message points to; None for one that is a letter itself."""
    try:
        found = json.loads(body)["pointer"]
    except (KeyError, TypeError, ValueError):
        return None
    return found if isinstance(found, str) else None
