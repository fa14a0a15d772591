"""The container's own recording: dispatched records, in a few files of bounded size."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from ...model import Record
from ...pipeline import Dispatched, Observer
from ...pipeline.error_outcomes import describe, name_of
from ...settings import Settings
from .masks import Masks
from .recording_files import RecordingFile
from .recording_lines import lines_of

logger = logging.getLogger(__name__)

SUFFIXES: Final = (".jsonl.gz", ".jsonl")
NAME: Final = "records"


class Series:
    """Numbered files. Lines are appended to the last one, and the oldest one is removed."""

    def __init__(self, where: str, most_bytes: int, most_files: int):
        """`where` is a folder, or a file `NAME.jsonl` or `NAME.jsonl.gz` whose name gets the numbers."""
        path = Path(where)
        self._suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), "")
        self._folder = path.parent if self._suffix else path
        self._name = path.name.removesuffix(self._suffix) if self._suffix else NAME
        self._suffix = self._suffix or SUFFIXES[-1]
        self._most_bytes = most_bytes
        self._most_files = most_files
        self._file: RecordingFile | None = None

    def append(self, text: bytes) -> None:
        """Append whole lines to the last file, or to a new one if that is full. Raises OSError."""
        if self._file is None:
            numbers = sorted(self._files())
            self._file = RecordingFile(self._path(numbers[-1] if numbers else 1))
        if self._file.size >= self._most_bytes:
            self._next()
        self._file.append(text)

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _next(self) -> None:
        numbers = sorted(self._files())
        for number in numbers[: len(numbers) + 1 - self._most_files]:
            self._path(number).unlink(missing_ok=True)
        self.close()
        self._file = RecordingFile(self._path(numbers[-1] + 1))

    def _files(self) -> list[int]:
        form = re.compile(rf"{re.escape(self._name)}-(\d{{8,}}){re.escape(self._suffix)}")
        found = (form.fullmatch(path.name) for path in self._folder.glob("*"))
        return [int(match[1]) for match in found if match]

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._name}-{number:08d}{self._suffix}"


class Recorder(Observer):
    """Record each acknowledged record, in the order of its shard; a retried one once it is acknowledged.

    A failure to write stops nothing. It is logged once, and the number of missing records is logged at the end.
    """

    def __init__(self, settings: Settings, masks: Masks):
        self.missing = 0
        self._series = Series(settings.record_to, settings.record_bytes, settings.record_files)
        self._masks = masks
        self._lock = Lock()
        self._failing = False

    def dispatched(self, done: Dispatched) -> None:
        records = done_records(done)
        with self._lock:
            try:
                text = b"".join(lines_of(records, self._masks))
                if text:
                    self._series.append(text)
            except Exception as error:  # no error of a recording may stop the stream
                self._fail(len(records), error)
            else:
                self._failing = False

    def close(self) -> None:
        with self._lock:
            self._series.close()
            if self.missing:
                logger.warning("recording incomplete", extra={"missing": self.missing})

    def _fail(self, records: int, error: Exception) -> None:
        self.missing += records
        with suppress(OSError):
            self._series.close()
        if not self._failing:
            reason = describe(error) if isinstance(error, OSError) else name_of(error)
            logger.warning("could not write recording", extra={"reason": reason, "missing": self.missing})
        self._failing = True


def done_records(done: Dispatched) -> Sequence[Record]:
    """Return each acknowledged record of a batch once, in its order."""
    found: dict[int, Record] = {}
    for task in done.tasks:
        if done.report.results[task.position].outcome.done:
            found[task.position] = task.record
    return [found[position] for position in sorted(found)]
