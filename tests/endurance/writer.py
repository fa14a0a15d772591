"""Threads that write items no faster than the records are read. Each write adds one record to the stream."""

from __future__ import annotations

import random
from collections.abc import Callable
from threading import Event, Thread
from typing import Any, Final

KEYS: Final = 20_000
"""Number of items of one writer. They are created, changed and removed repeatedly."""

REMOVED: Final = 0.2
"""Share of the writes to an existing item that remove it."""

BATCH: Final = 25
"""Maximum number of writes in one request ("BatchWriteItem", DynamoDB API Reference)."""

WORDS: Final = [f"{first}{second}{third}" for first in "bdfklm" for second in "aeiou" for third in "nrstx"]


class Writer(Thread):
    """A thread that makes `records` changes to its own items. `may_write` returns True if the reader keeps up."""

    def __init__(
        self, dynamodb: Any, table: str, number: int, records: int, may_write: Callable[[], bool], stopping: Event
    ):
        super().__init__(name=f"writer {number}", daemon=True)
        self.written = 0
        self.error: BaseException | None = None
        self._dynamodb = dynamodb
        self._table = table
        self._number = number
        self._records = records
        self._may_write = may_write
        self._stopping = stopping
        self._chance = random.Random(number)
        self._there: set[int] = set()

    def run(self) -> None:
        try:
            while self.written < self._records and not self._stopping.is_set():
                if self._may_write():
                    self._write(min(BATCH, self._records - self.written))
                else:
                    self._stopping.wait(0.05)
        except BaseException as error:  # reported by the main thread
            self.error = error

    def _write(self, size: int) -> None:
        keys = self._chance.sample(range(KEYS), size)  # a request may contain an item only once
        request = {self._table: [self._change(key) for key in keys]}
        while request:
            request = self._dynamodb.batch_write_item(RequestItems=request)["UnprocessedItems"]
        self.written += size

    def _change(self, key: int) -> dict[str, Any]:
        """Return a write that changes the item. The stream has no record of a write without a change."""
        name = {"S": f"image-{self._number}-{key:06}"}
        if key in self._there and self._chance.random() < REMOVED:
            self._there.remove(key)
            return {"DeleteRequest": {"Key": {"id": name}}}
        self._there.add(key)
        return {"PutRequest": {"Item": {"id": name, **self._attributes()}}}

    def _attributes(self) -> dict[str, Any]:
        """Return attributes of 0.5 to 1 KB, like those of an image of the sample application."""
        metadata = {
            "format": {"S": self._chance.choice(["JPEG", "PNG", "WEBP"])},
            "width": {"N": str(self._chance.randint(100, 8000))},
            "height": {"N": str(self._chance.randint(100, 8000))},
            "exif": {"M": {"Model": {"S": self._text(2)}, "ISO": {"N": str(self._chance.randint(50, 6400))}}},
        }
        return {
            "title": {"S": self._text(6)},
            "description": {"S": self._text(self._chance.randint(80, 180))},
            "revision": {"N": str(self.written)},
            "metadata": {"M": metadata},
        }

    def _text(self, words: int) -> str:
        return " ".join(self._chance.choices(WORDS, k=words))
