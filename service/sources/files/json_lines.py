"""The JSON documents of a file, in bounded memory: each line is one, or all lines together are one."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Final

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of one line, or of a file that is one document. A Lambda event has 6 MB at most ("Lambda quotas")."""

EXCERPT: Final = 1024
"""Bytes that are kept of a document that is too large."""

_BEGINNING: Final = 10
"""Lines that are looked at to tell JSON lines, of which some may be broken, from one document."""

_SKIP: Final = 64 * 1024


@dataclass(frozen=True)
class Document:
    """The text of a document and the number of its first line. `error` says why only its beginning was read."""

    line: int
    text: bytes
    error: str = ""


def documents(file: BinaryIO) -> Iterator[Document]:
    """Read the documents of a file, once and from the beginning to the end, so that it may be a pipe.

    A document that is larger than LARGEST is skipped. Only its beginning is given, with the error.
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
            error = f"larger than {LARGEST:,} bytes, and no JSON lines: the rest of the file was not read"
            yield Document(number, whole) if fits else Document(number, whole[:EXCERPT], error)
        return
    yield from lines(io.BufferedReader(_After(whole, file)), number)


def lines(file: BinaryIO, number: int = 1) -> Iterator[Document]:
    """The lines that are not blank; the first has this `number`."""
    while text := file.readline(LARGEST + 1):
        if not text.isspace() or len(text) > LARGEST:
            yield _line(number, text, file)
        number += 1


def _line(number: int, text: bytes, file: BinaryIO) -> Document:
    """A line of which so much was read; the rest of one that is too long is skipped."""
    if len(text) <= LARGEST:
        return Document(number, text)
    beginning = text[:EXCERPT]
    while text and not text.endswith(b"\n"):
        text = file.readline(_SKIP)
    return Document(number, beginning, f"the line is longer than {LARGEST:,} bytes: it was skipped")


def is_json(text: bytes) -> bool:
    """True for a JSON object, or a list of them."""
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


class _After(io.RawIOBase):
    """A file of which the beginning was read already."""

    def __init__(self, beginning: bytes, rest: BinaryIO):
        self._beginning = io.BytesIO(beginning)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._beginning.read(len(buffer)) or self._rest.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)
