"""Dead letters in an S3 bucket, an object each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from ...context import Context
from ...errors import Halt
from ...pipeline import Letter
from ...pipeline.error_outcomes import describe
from .dead_letter import Kept, id_in, seal, unsealed
from .folder_store import now


class LetterBucket:
    """`s3://bucket/prefix`: an object `prefix/ID.json` for each letter."""

    def __init__(self, context: Context, bucket: str, prefix: str = "", clock: Callable[[], datetime] = now):
        self._context = context
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._clock = clock

    def store(self, letters: Sequence[Letter]) -> None:
        for letter in letters:
            self.put(*seal(letter, self._clock()))

    def put(self, name: str, text: bytes) -> str:
        """Keeps a letter's JSON; the key of its object. Raises Halt when it cannot."""
        key = f"{self._prefix}{name}.json"
        try:
            self._context.s3.put_object(Bucket=self._bucket, Key=key, Body=text, ContentType="application/json")
        except Exception as error:
            raise Halt(
                f"dead letters cannot be kept in bucket {self._bucket}: {describe(error)};"
                " see STREAMDEX_DEAD_LETTERS"
            ) from error
        return key

    def letters(self, prefix: str = "") -> Generator[Kept, None, None]:
        pages = self._context.s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
            for entry in page.get("Contents", []):
                yield from self.letter(entry["Key"])

    def letter(self, key: str) -> Iterator[Kept]:
        """The letter in an object; none where the object is gone, or is none of the letters of this store."""
        where = f"{self._bucket}/{key}"
        name = id_in(key.removeprefix(self._prefix) if key.startswith(self._prefix) else "", where)
        if name is not None and (text := self._read(key)) is not None:
            yield from unsealed(text, where, name)

    @contextmanager
    def look(self, prefix: str = "") -> Iterator[Iterator[Kept]]:
        yield self.letters(prefix)

    def remove(self, kept: Kept) -> None:
        self._context.s3.delete_object(Bucket=self._bucket, Key=f"{self._prefix}{kept.id}.json")

    def count(self) -> int:
        pages = self._context.s3.get_paginator("list_objects_v2")
        found = (page.get("Contents", []) for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix))
        return sum(1 for entries in found for entry in entries if entry["Key"].endswith(".json"))

    def _read(self, key: str) -> bytes | None:
        """The JSON of a letter; None for an object that was removed meanwhile. Raises what boto3 raises."""
        try:
            answer = self._context.s3.get_object(Bucket=self._bucket, Key=key)
        except self._context.s3.exceptions.NoSuchKey:
            return None
        with answer["Body"] as body:
            text: bytes = body.read()
        return text
