"""Dead letters in an S3 bucket, one object each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from ...context import Context
from ...errors import Halt
from ...pipeline import DeadLetter
from ...pipeline.error_outcomes import describe
from .dead_letter import StoredDeadLetter, id_in, seal, unsealed
from .folder_store import now


class DeadLetterBucket:
    """Dead letters in `s3://bucket/prefix`, as objects `prefix/ID.json`."""

    def __init__(self, context: Context, bucket: str, prefix: str = "", clock: Callable[[], datetime] = now):
        self._context = context
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._clock = clock

    def store(self, letters: Sequence[DeadLetter]) -> None:
        for letter in letters:
            self.put(*seal(letter, self._clock()))

    def put(self, name: str, text: bytes) -> str:
        """Store the JSON of a dead letter and return its object key. Raises Halt if S3 refuses it."""
        key = f"{self._prefix}{name}.json"
        try:
            self._context.s3.put_object(Bucket=self._bucket, Key=key, Body=text, ContentType="application/json")
        except Exception as error:
            raise Halt(
                f"cannot store dead letters in bucket {self._bucket}: {describe(error)}."
                " Check STREAMDEX_DEAD_LETTERS"
            ) from error
        return key

    def read(self, prefix: str = "") -> Generator[StoredDeadLetter, None, None]:
        pages = self._context.s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
            for entry in page.get("Contents", []):
                yield from self.letter(entry["Key"])

    def letter(self, key: str) -> Iterator[StoredDeadLetter]:
        """Yield the dead letter of an object; nothing if it does not exist or is not one of this store."""
        where = f"{self._bucket}/{key}"
        name = id_in(key.removeprefix(self._prefix) if key.startswith(self._prefix) else "", where)
        if name is not None and (text := self._read(key)) is not None:
            yield from unsealed(text, where, name)

    @contextmanager
    def claim(self, prefix: str = "") -> Iterator[Iterator[StoredDeadLetter]]:
        yield self.read(prefix)

    def remove(self, kept: StoredDeadLetter) -> None:
        self._context.s3.delete_object(Bucket=self._bucket, Key=f"{self._prefix}{kept.id}.json")

    def count(self) -> int:
        pages = self._context.s3.get_paginator("list_objects_v2")
        found = (page.get("Contents", []) for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix))
        return sum(1 for entries in found for entry in entries if entry["Key"].endswith(".json"))

    def _read(self, key: str) -> bytes | None:
        """Return the JSON of a dead letter; None if its object was removed. Raises what boto3 raises."""
        try:
            answer = self._context.s3.get_object(Bucket=self._bucket, Key=key)
        except self._context.s3.exceptions.NoSuchKey:
            return None
        with answer["Body"] as body:
            text: bytes = body.read()
        return text
