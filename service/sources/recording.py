"""A file of recorded records: JSON lines, or one Lambda event, however it is laid out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

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
                if is_one_event(self._path):
                    yield from self._read(file.read(), 1)
                else:
                    for number, line in enumerate(file, 1):
                        if line.strip():
                            yield from self._read(line, number)
        except OSError as error:
            raise SettingsError(f"the recording {self._path} cannot be read: {error.strerror}") from error

    def _read(self, text: bytes, line: int) -> Iterator[Record]:
        where = f"{self._path.name}:{line}"
        try:
            yield from unwrap(json.loads(text))
        except UnknownEvent as error:
            yield Undecodable(text.decode(errors="replace"), f"{where}: {error}", self.name, where)
        except (ValueError, RecursionError) as error:
            reason = f"{where}: not JSON: {error}"
            yield Undecodable(text.decode(errors="replace"), reason, self.name, where)


def is_one_event(path: Path) -> bool:
    """Whether a file is one JSON document over several lines, also one that is broken.

    A Lambda event has 6 MB at most ("Lambda quotas"), so what is larger by far is read line by line unseen.
    """
    with path.open("rb") as file:
        beginning = list(islice((line for line in file if line.strip()), _BEGINNING))
        if not beginning or is_json(beginning[0]) or path.stat().st_size > _LARGEST_EVENT:
            return False
        file.seek(0)
        return is_json(file.read()) or not any(map(is_json, beginning))


def is_json(text: bytes) -> bool:
    """Whether text is a JSON object, or a list of them."""
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False
