"""Dead letters in an SQS queue, one message each. A larger one is stored in a bucket, or truncated."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from ...context import Context
from ...errors import Halt
from ...pipeline import DeadLetter
from ...pipeline.error_outcomes import describe, reaching
from .bucket_store import DeadLetterBucket
from .dead_letter import StoredDeadLetter, cut, seal, unsealed
from .folder_store import now
from .held_messages import VISIBILITY_TIMEOUT, Held, content_of, delete

logger = logging.getLogger(__name__)

LARGEST: Final = 262_144
"""Message size in bytes that every queue accepts; some accept more since 2025 ("Amazon SQS message quotas")."""


class DeadLetterQueue:
    """Dead letters in `sqs://queue`.

    A standard queue stores a repeated dead letter twice; `read` and `claim` yield it once. Received messages are
    invisible to other consumers, and become visible again when the `claim` block ends.
    """

    def __init__(
        self,
        context: Context,
        queue: str,
        large: DeadLetterBucket | None,
        clock: Callable[[], datetime] = now,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        """`large` stores dead letters that exceed the size of a message. Without it they are truncated."""
        self._context = context
        self._queue = queue
        self._large = large
        self._clock = clock
        self._monotonic = monotonic
        self._address = ""
        self._held = Held(monotonic)
        self._pointed: set[bytes] = set()

    def store(self, letters: Sequence[DeadLetter]) -> None:
        for letter in letters:
            name, text = seal(letter, self._clock())
            message = allowed(text)
            if len(message) > LARGEST:
                message = self._smaller(letter, name, text, len(message))
            extra = (
                {"MessageGroupId": name, "MessageDeduplicationId": name} if self._queue.endswith(".fifo") else {}
            )
            try:
                self._context.sqs.send_message(QueueUrl=self._url(), MessageBody=message.decode(), **extra)
            except Halt:
                raise
            except Exception as error:
                raise Halt(
                    f"cannot store dead letters in queue {self._queue}: {describe(error)}."
                    " Check STREAMDEX_DEAD_LETTERS"
                ) from error

    def read(self, prefix: str = "") -> Generator[StoredDeadLetter, None, None]:
        """Yield each dead letter once, until the queue is empty; with a `prefix`, only ids that begin with it."""
        with self.claim(prefix) as found:
            yield from found

    @contextmanager
    def claim(self, prefix: str = "") -> Iterator[Iterator[StoredDeadLetter]]:
        self._held = held = Held(self._monotonic)
        self._pointed.clear()
        try:
            yield self._find(prefix, held)
        finally:
            held.give_back(self._context.sqs, self._url())

    def _find(self, prefix: str, held: Held) -> Iterator[StoredDeadLetter]:
        while messages := self._receive(held):
            found = [(message, kept) for message in messages for kept in self._read(message["Body"], message)]
            # Hold all messages before yielding the first: the caller may stop there.
            new = [kept for message, kept in found if held.add(kept, message["ReceiptHandle"])]
            delete(self._context.sqs, self._url(), held.late())
            yield from (kept for kept in new if kept.id.startswith(prefix))

    def remove(self, kept: StoredDeadLetter) -> None:
        delete(self._context.sqs, self._url(), self._held.pop(kept))
        if self._large is not None and content_of(kept) in self._pointed:
            self._large.remove(kept)

    def count(self) -> int | None:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        try:
            answer = self._context.sqs.get_queue_attributes(QueueUrl=self._url(), AttributeNames=names)
        except Exception as error:  # only the count is missing then
            logger.warning("could not count dead letters", extra={"reason": describe(error)})
            return None
        return sum(int(answer["Attributes"][name]) for name in names)

    def _receive(self, held: Held) -> Sequence[Mapping[str, Any]]:
        with reaching(f"the queue {self._queue} for dead letters"):
            held.extend(self._context.sqs, self._url())
            answer = self._context.sqs.receive_message(
                QueueUrl=self._url(),
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                VisibilityTimeout=VISIBILITY_TIMEOUT,
            )
        messages: Sequence[Mapping[str, Any]] = answer.get("Messages", [])
        return messages

    def _smaller(self, letter: DeadLetter, name: str, text: bytes, size: int) -> bytes:
        """Return a pointer to the complete dead letter in the bucket, or a truncated dead letter."""
        if self._large is not None:
            return json.dumps({"pointer": self._large.put(name, text)}).encode()
        logger.warning(
            "dead letter truncated: to store large dead letters completely, set"
            " STREAMDEX_DEAD_LETTERS_LARGE=s3://BUCKET/PREFIX",
            extra={"letter": name, "bytes": size, "most": LARGEST},
        )
        return allowed(cut(letter, self._clock(), f"it has {size} bytes, an SQS message at most {LARGEST}"))

    def _read(self, body: str, message: Mapping[str, Any]) -> Iterator[StoredDeadLetter]:
        where = f"message {message['MessageId']} of queue {self._queue}"
        pointer = pointer_in(body)
        if pointer is None or self._large is None:
            yield from unsealed(body, where)
            return
        found = list(self._large.letter(pointer))
        if not found:  # another redrive may have removed it through a second message
            logger.warning(
                "skipped: the message points to no dead letter", extra={"where": where, "object": pointer}
            )
        self._pointed |= {content_of(kept) for kept in found}
        yield from found

    def _url(self) -> Any:
        if not self._address:
            with reaching(f"the queue {self._queue} for dead letters"):
                try:
                    self._address = self._context.sqs.get_queue_url(QueueName=self._queue)["QueueUrl"]
                except self._context.sqs.exceptions.QueueDoesNotExist as error:
                    raise Halt(
                        f"the queue {self._queue} for dead letters does not exist:"
                        " create it, or correct STREAMDEX_DEAD_LETTERS"
                    ) from error
        return self._address


def allowed(text: bytes) -> bytes:
    """Return the same JSON without the two characters that SQS forbids ("SendMessage", SQS API Reference).

    JSON contains no other forbidden character: it escapes control characters, and UTF-8 has no lone surrogates.
    """
    return text.replace("\ufffe".encode(), b"\\ufffe").replace("\uffff".encode(), b"\\uffff")


def pointer_in(body: str) -> str | None:
    """Return the key of the object that a message points to; None if the message is a dead letter itself."""
    try:
        found = json.loads(body)["pointer"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    return found if isinstance(found, str) else None
