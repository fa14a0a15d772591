"""Writes items, each write one record of the stream, and no faster than these are read."""

from __future__ import annotations

import random
from collections.abc import Callable
from threading import Event, Thread
from typing import Any, Final

KEYS: Final = 20_000
"""Items that one writer may have: over and over they are made, changed and removed."""

REMOVED: Final = 0.2
"""Of the writes to an item that is there, those that remove it."""

BATCH: Final = 25
"""Writes of one request ("BatchWriteItem", DynamoDB API Reference)."""

WORDS: Final = [f"{first}{second}{third}" for first in "bdfklm" for second in "aeiou" for third in "nrstx"]


class Writer(Thread):
    """Makes `records` changes to items that are its own. `may_write` says whether the reader keeps up."""

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
        except BaseException as error:  # the main thread tells it
            self.error = error

    def _write(self, size: int) -> None:
        keys = self._chance.sample(range(KEYS), size)  # a request may name an item once
        request = {self._table: [self._change(key) for key in keys]}
        while request:
            request = self._dynamodb.batch_write_item(RequestItems=request)["UnprocessedItems"]
        self.written += size

    def _change(self, key: int) -> dict[str, Any]:
        """A write that changes something: of any other the stream tells nothing."""
        name = {"S": f"image-{self._number}-{key:06}"}
        if key in self._there and self._chance.random() < REMOVED:
            self._there.remove(key)
            return {"DeleteRequest": {"Key": {"id": name}}}
        self._there.add(key)
        return {"PutRequest": {"Item": {"id": name, **self._attributes()}}}

    def _attributes(self) -> dict[str, Any]:
        """Between half a kilobyte and one, as an image of the sample application has them."""
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
