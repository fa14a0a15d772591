"""A file of recorded records: JSON lines, or one Lambda event, however it is laid out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from ..dispatch import Report
from ..errors import SettingsError, UnknownEvent
from ..records import Record, Undecodable
from .envelopes import unwrap

_BEGINNING = 10
"""Lines that are looked at to tell JSON lines, of which some may be broken, from one document."""

_LARGEST_EVENT = 64 * 1024 * 1024
"""Bytes."""


@dataclass(frozen=True)
class RecordedBatch:
    """Some records of the file; nobody has to be told what became of them."""

    source: str
    records: Sequence[Record]

    def settle(self, report: Report) -> None:
        """A recording stays as it is."""


class Recording:
    """Batches of at most `size` records, read as they are asked for: memory does not grow with the file.

    A line that holds nothing known is an Undecodable named by file and line. Raises SettingsError for a file
    that cannot be read.
    """

    def __init__(self, path: str | Path, size: int = 1000):
        self._path = Path(path)
        self._size = size
        self.name = f"recording {self._path.name}"

    def __iter__(self) -> Iterator[RecordedBatch]:
        batch: list[Record] = []
        for record in self.records():
            batch.append(record)
            if len(batch) >= self._size:
                yield RecordedBatch(self.name, batch)
                batch = []
        if batch:
            yield RecordedBatch(self.name, batch)

    def records(self) -> Iterator[Record]:
        """Every record of the file, in its order."""
        try:
            with self._path.open("rb") as file:
                for number, text in documents(file):
                    yield from self._read(text, number)
        except OSError as error:
            raise SettingsError(f"the recording {self._path} cannot be read: {error.strerror}") from error

    def _read(self, text: bytes, line: int) -> Iterator[Record]:
        where = f"{self._path.name}:{line}"
        try:
            for record in unwrap(json.loads(text)):
                yield self._named(record, where)
        except UnknownEvent as error:
            yield Undecodable(text.decode(errors="replace"), f"{where}: {error}", self.name, where)
        except (ValueError, RecursionError) as error:
            reason = f"{where}: not JSON: {error}"
            yield Undecodable(text.decode(errors="replace"), reason, self.name, where)

    def _named(self, record: Record, where: str) -> Record:
        """The record; one that cannot be read and does not say what it is called is named by its line."""
        if not isinstance(record, Undecodable):
            return record
        return Undecodable(
            record.raw, f"{where}: {record.reason}", record.source or self.name, record.identifier or where
        )


def documents(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The JSON documents of a file with the numbers of their lines: each line one, or all lines together.

    The file is read once, so that it may be a pipe. A Lambda event has 6 MB at most ("Lambda quotas"): what is
    larger by far is read line by line unseen.
    """
    beginning = list(islice(file, _BEGINNING))
    first = next((line for line in beginning if line.strip()), b"")
    if not first or is_json(first):
        yield from numbered(chain(beginning, file))
        return
    rest = file.read(_LARGEST_EVENT)
    whole = b"".join(beginning) + rest
    if len(rest) < _LARGEST_EVENT and (is_json(whole) or not any(map(is_json, beginning))):
        yield 1, whole
        return
    whole += file.readline()
    yield from numbered(chain(BytesIO(whole), file))


def numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers from 1."""
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def is_json(text: bytes) -> bool:
    """Whether text is a JSON object, or a list of them."""
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False
