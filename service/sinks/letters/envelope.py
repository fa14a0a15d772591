"""What a dead letter holds: a record that can never succeed, whole, with the route that failed and why."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import orjson

from ...dispatch import Letter
from ...errors import DecodeError
from ...records import Record, TableRecord

logger = logging.getLogger(__name__)

FORMAT: Final = 1

_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_INDENT_2

_DEEPEST: Final = 100
"""Levels of nesting that are kept as they are; an item of DynamoDB has 32 at most."""


@dataclass(frozen=True)
class Kept:
    """A letter as a store has it. `record` is in the form that a Lambda event has, `time` in ISO 8601."""

    id: str
    time: str
    route: str
    reason: str
    status: int | None
    source: str
    identifier: str
    record: Any


class LetterBox(Protocol):
    """A store that can be looked through."""

    def store(self, letters: Sequence[Letter]) -> None:
        """Keeps letters; the same record and route again is kept once. Raises Halt when it cannot."""
        ...

    def letters(self, prefix: str = "") -> Generator[Kept, None, None]:
        """What is kept, each once; with a `prefix` only the letters whose id begins so.

        Who stops early closes it: only then may others see what it went through.
        """
        ...

    def remove(self, kept: Kept) -> None:
        """Forgets a letter that was found by `letters`."""
        ...


def seal(letter: Letter, time: datetime) -> tuple[str, bytes]:
    """The letter's id and its JSON: bytes as base64, times as Unix seconds, nothing left out."""
    name = letter_id(letter.record, letter.route)
    envelope = {
        "format": FORMAT,
        "id": name,
        "time": time.isoformat(timespec="seconds"),
        "route": letter.route,
        "reason": printable(letter.result.reason),
        "status": letter.result.status,
        "source": printable(letter.record.source),
        "identifier": printable(letter.record.identifier),
        "record": letter.record.raw,
    }
    return name, portable(envelope)


def unsealed(text: str | bytes, where: str) -> Iterator[Kept]:
    """The letter in its JSON; none, and a line in the log that says `where`, for what cannot be read."""
    try:
        yield unseal(text)
    except DecodeError as error:
        logger.error("left alone: not a dead letter", extra={"where": where, "reason": str(error)})


def unseal(text: str | bytes) -> Kept:
    """The letter in its JSON. Raises DecodeError for what is none, or of a later format."""
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"not a dead letter: not JSON: {error}") from error
    if not isinstance(envelope, Mapping) or not {"format", "id", "route", "record"} <= set(envelope):
        raise DecodeError("not a dead letter: no format, id, route or record")
    if envelope["format"] != FORMAT:
        raise DecodeError(f"a dead letter of format {envelope['format']}: this version reads {FORMAT}")
    return Kept(
        id=str(envelope["id"]),
        time=str(envelope.get("time", "")),
        route=str(envelope["route"]),
        reason=str(envelope.get("reason", "")),
        status=envelope.get("status"),
        source=str(envelope.get("source", "")),
        identifier=str(envelope.get("identifier", "")),
        record=envelope["record"],
    )


def letter_id(record: Record, route: str) -> str:
    """The same for each delivery of one record to one route."""
    numbered = record.sequence_number if isinstance(record, TableRecord) else ""
    said = printable(numbered).encode() or portable(record.raw)
    source = printable(record.source).encode()
    return hashlib.sha256(b"\0".join([source, said, route.encode()])).hexdigest()[:32]


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
