"""The ids of a scan, kept on disk so that memory does not grow with the table."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import Self

PARTS = 256
DIGEST = 16
LENGTH = 4
"""Bytes of the length of an id in a file. With a routing value, an id can be longer than 64 KiB."""

HELD = 64 * 1024
"""Bytes of a part that are buffered in memory before they are written."""


class Seen:
    """A comparison that finds documents without an item: ids that are in the index and not in the table.

    Both sets of ids are split by digest into PARTS temporary files. One pair of files is in memory at a time. The
    end of the `with` block removes the files.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="streamdex-verify-"))
        self._parts: list[bytearray] = [bytearray() for _ in range(PARTS)]
        self._others: list[bytearray] = [bytearray() for _ in range(PARTS)]
        self._lock = Lock()

    def add(self, ids: Iterable[str]) -> None:
        """Add ids of the items of the table. Thread-safe."""
        digests = [digest(text.encode()) for text in ids]
        with self._lock:
            for one in digests:
                self._put(self._parts, one[0], one, "items")

    def add_others(self, ids: Iterable[str]) -> None:
        """Add ids of the documents of the index. Thread-safe."""
        with self._lock:
            for text in ids:
                encoded = text.encode()
                line = len(encoded).to_bytes(LENGTH, "big") + encoded
                self._put(self._others, digest(encoded)[0], line, "documents")

    def only_others(self) -> Iterator[str]:
        """Yield the ids of documents without an item."""
        for number in range(PARTS):
            items = self._content(self._parts, number, "items")
            known = {items[place : place + DIGEST] for place in range(0, len(items), DIGEST)}
            documents = self._content(self._others, number, "documents")
            place = 0
            while place < len(documents):
                begin = place + LENGTH
                end = begin + int.from_bytes(documents[place:begin], "big")
                encoded = documents[begin:end]
                if digest(encoded) not in known:
                    yield encoded.decode()
                place = end

    def _put(self, parts: list[bytearray], number: int, data: bytes, name: str) -> None:
        held = parts[number]
        held += data
        if len(held) >= HELD:
            with (self._folder / f"{name}-{number}").open("ab") as file:
                file.write(held)
            held.clear()

    def _content(self, parts: list[bytearray], number: int, name: str) -> bytes:
        path = self._folder / f"{name}-{number}"
        return (path.read_bytes() if path.exists() else b"") + bytes(parts[number])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def digest(encoded: bytes) -> bytes:
    """Return the digest of an id. With 16 bytes, two ids never share one in practice."""
    return hashlib.blake2b(encoded, digest_size=DIGEST).digest()
