"""Read the JSON documents of a file in bounded memory: one per line, or one for the whole file."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Final

LARGEST: Final = 16 * 1024 * 1024
"""Maximum bytes of a line, or of a single document. A Lambda event has 6 MB at most ("Lambda quotas")."""

EXCERPT: Final = 1024
"""Bytes that are kept of a document that is too large."""

_BEGINNING: Final = 10
"""Lines that are read to distinguish JSON lines, some of which may be broken, from a single document."""

_SKIP: Final = 64 * 1024


@dataclass(frozen=True)
class Document:
    """The text of a document and its first line number. `error` explains why only its beginning was read."""

    line: int
    text: bytes
    error: str = ""


def documents(file: BinaryIO) -> Iterator[Document]:
    """Yield the documents of a file. The file is read once, in order, so it may be a pipe.

    A document larger than LARGEST is skipped: only its beginning is yielded, with an error.
    """
    number, first = 1, file.readline(LARGEST + 1)
    while first.isspace() and len(first) <= LARGEST:
        number, first = number + 1, file.readline(LARGEST + 1)
    if len(first) > LARGEST or is_json(first):
        yield _line(number, first, file)
        yield from lines(file, number + 1)
        return
    whole = first + file.read(LARGEST + 1 - len(first))
    fits = len(whole) <= LARGEST
    beginning = islice(lines(io.BytesIO(whole)), _BEGINNING)
    if (fits and is_json(whole)) or not any(is_json(document.text) for document in beginning):
        if whole:
            error = f"larger than {LARGEST:,} bytes and not JSON lines: the rest of the file was not read"
            yield Document(number, whole) if fits else Document(number, whole[:EXCERPT], error)
        return
    yield from lines(io.BufferedReader(_After(whole, file)), number)


def lines(file: BinaryIO, number: int = 1) -> Iterator[Document]:
    """Yield the lines that are not blank; the first line has this `number`."""
    while text := file.readline(LARGEST + 1):
        if not text.isspace() or len(text) > LARGEST:
            yield _line(number, text, file)
        number += 1


def _line(number: int, text: bytes, file: BinaryIO) -> Document:
    """Return a line from its first bytes, and skip the rest of one that is too long."""
    if len(text) <= LARGEST:
        return Document(number, text)
    beginning = text[:EXCERPT]
    while text and not text.endswith(b"\n"):
        text = file.readline(_SKIP)
    return Document(number, beginning, f"the line was skipped: it is longer than {LARGEST:,} bytes")


def is_json(text: bytes) -> bool:
    """True for a JSON object or list."""
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


class _After(io.RawIOBase):
    """A file whose beginning has been read already."""

    def __init__(self, beginning: bytes, rest: BinaryIO):
        self._beginning = io.BytesIO(beginning)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._beginning.read(len(buffer)) or self._rest.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)
