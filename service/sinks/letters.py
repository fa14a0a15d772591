"""Dead letters: records that can never succeed, kept whole with the reason."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from ..dispatch import Letter
from ..errors import Halt
from ..records import Record, TableRecord

FORMAT: Final = 1

_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_INDENT_2

_DEEPEST: Final = 100
"""Levels of nesting that are kept as they are; an item of DynamoDB has 32 at most."""


class LetterFolder:
    """A folder with a JSON file for each letter. Its name is a digest of what failed where.

    So a record that is delivered again is kept once. The file holds `format`, `id`, `time`, `route`, `reason`,
    `status`, `source`, `identifier` and the `record` itself, in the form that a Lambda event has: bytes as
    base64, times as Unix seconds.
    """

    def __init__(self, folder: str | Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)):
        self._folder = Path(folder)
        self._now = now

    def store(self, letters: Sequence[Letter]) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for letter in letters:
                self._write(letter)
        except OSError as error:
            raise Halt(
                f"dead letters cannot be kept in {self._folder}: {error.strerror or error};"
                " set STREAMDEX_DEAD_LETTERS to a folder that can be written"
            ) from error

    def _write(self, letter: Letter) -> None:
        name = letter_id(letter.record, letter.route)
        envelope = {
            "format": FORMAT,
            "id": name,
            "time": self._now().isoformat(timespec="seconds"),
            "route": letter.route,
            "reason": printable(letter.result.reason),
            "status": letter.result.status,
            "source": letter.record.source,
            "identifier": letter.record.identifier,
            "record": letter.record.raw,
        }
        # Renamed into place: a process that is killed leaves no half letter.
        unfinished = self._folder / f".{name}.{os.getpid()}"
        unfinished.write_bytes(portable(envelope))
        unfinished.replace(self._folder / f"{name}.json")


def letter_id(record: Record, route: str) -> str:
    """The same for each delivery of one record to one route."""
    numbered = record.sequence_number if isinstance(record, TableRecord) else ""
    said = numbered.encode() or portable(record.raw)
    return hashlib.sha256(b"\0".join([record.source.encode(), said, route.encode()])).hexdigest()[:32]


def portable(value: Any) -> bytes:
    """JSON of anything a source delivers. Raises nothing: a letter is the last chance."""
    try:
        return orjson.dumps(value, _plain, _OPTIONS)
    except TypeError:  # an integer over 64 bits, half of a surrogate pair, nesting without end
        return orjson.dumps(_tamed(value), _plain, _OPTIONS)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(getattr(value, "value", None), bytes):  # boto3's Binary
        return base64.b64encode(value.value).decode("ascii")
    return repr(value)


def _tamed(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return str(value)
    if not isinstance(value, dict | list | tuple):
        return value
    if depth > _DEEPEST:
        return _text_of(value)
    if isinstance(value, dict):
        return {printable(str(name)): _tamed(member, depth + 1) for name, member in value.items()}
    return [_tamed(member, depth + 1) for member in value]


def _text_of(value: Any) -> str:
    try:
        return printable(repr(value))
    except RecursionError:
        return "nested too deeply to be written down"


def printable(text: str) -> str:
    """The text with halves of surrogate pairs escaped, which UTF-8 has no bytes for."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
