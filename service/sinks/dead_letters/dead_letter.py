"""What a dead letter holds: a record that can never succeed, whole, with the route that failed and why."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import orjson

from ...errors import DecodeError
from ...model import ObjectRecord, Record, TableRecord
from ...pipeline import Letter

logger = logging.getLogger(__name__)

FORMAT: Final = 1

_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME

_DEEPEST: Final = 100
"""Levels of nesting that are kept as they are; an item of DynamoDB has 32 at most."""


_EXCERPT: Final = 4096
"""Characters that a letter which is cut keeps of a text, six bytes each at the most."""

_ID: Final = re.compile(r"[0-9a-f]{32}")

_NAME: Final = re.compile(rf"({_ID.pattern})\.json")
"""The name of a letter's file or object."""


@dataclass(frozen=True)
class Kept:
    """A letter as a store has it. `record` is in the form that a Lambda event has, `time` in ISO 8601.

    `cut` says what was left out of a letter that its store could not take whole; "" for a whole one.
    Raises DecodeError for an id that `letter_id` does not make: stores make paths and keys of ids.
    """

    id: str
    time: str
    route: str
    reason: str
    status: int | None
    source: str
    identifier: str
    record: Any
    cut: str = ""

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise DecodeError(f"not a dead letter: {self.id[:40]!r} is not an id of 32 hexadecimal digits")


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

    def look(self, prefix: str = "") -> AbstractContextManager[Iterator[Kept]]:
        """The same, with letters that can be removed until the block ends. Only then may others see them."""
        ...

    def remove(self, kept: Kept) -> None:
        """Forgets a letter that was found by `look`, or by `letters` of which more was not asked for yet."""
        ...

    def count(self) -> int | None:
        """About how many messages, objects or files of letters there are; None if the store does not say it."""
        ...


def seal(letter: Letter, time: datetime) -> tuple[str, bytes]:
    """The letter's id and its JSON: bytes as base64, times as Unix seconds, nothing left out."""
    envelope = _envelope(letter, time)
    return envelope["id"], portable(envelope)


def cut(letter: Letter, time: datetime, why: str) -> bytes:
    """The JSON of a letter that is too large for its store: keys and reason, without images.

    A redrive reads the item or object of these keys again. Of a record without keys only the beginning is kept.
    """
    envelope = _envelope(letter, time)
    for name in ("reason", "source", "identifier"):
        envelope[name] = envelope[name][:_EXCERPT]
    keys = _keys(letter.record)
    if keys is None or len(portable(keys, layout=0)) > 2 * _EXCERPT:  # no key of DynamoDB or S3 is as long
        text = portable(letter.record.raw, layout=0).decode()
        return portable(envelope | {"record": text[:_EXCERPT], "cut": f"only the beginning of the record: {why}"})
    return portable(envelope | {"record": keys, "cut": f"the record without its images: {why}"})


def _envelope(letter: Letter, time: datetime) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "id": letter_id(letter.record, letter.route),
        "time": time.isoformat(timespec="seconds"),
        "route": letter.route,
        "reason": printable(letter.result.reason),
        "status": letter.result.status,
        "source": printable(letter.record.source),
        "identifier": printable(letter.record.identifier),
        "record": letter.record.raw,
    }


def _keys(record: Record) -> Any:
    """Return the key of the record's item or object; None if it has neither."""
    if isinstance(record, ObjectRecord):
        return {"bucket": record.bucket, "key": record.key}
    if not isinstance(record, TableRecord):
        return None
    change = {
        name: value for name, value in record.raw["dynamodb"].items() if name not in ("NewImage", "OldImage")
    }
    return {**record.raw, "dynamodb": change}


def id_in(name: str, where: str) -> str | None:
    """The id in the name of a letter's file or object; None, and a line in the log, for any other name."""
    found = _NAME.fullmatch(name)
    if found is None:
        logger.warning("left alone: not named as a dead letter", extra={"where": where})
        return None
    return found[1]


def unsealed(text: str | bytes, where: str, name: str = "") -> Iterator[Kept]:
    """The letter in its JSON; none, and a line in the log that says `where`, for what cannot be read."""
    try:
        yield unseal(text, name)
    except DecodeError as error:
        logger.error("left alone: not a dead letter", extra={"where": where, "reason": str(error)})


def unseal(text: str | bytes, name: str = "") -> Kept:
    """Read a letter from its JSON. Its id is the `name` that a file or object has; only a message says its own.

    Raises DecodeError for text that holds no letter, or one of a later format.
    """
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"not a dead letter: not JSON: {error}") from error
    if not isinstance(envelope, Mapping) or not {"format", "id", "route", "record"} <= set(envelope):
        raise DecodeError("not a dead letter: no format, id, route or record")
    if envelope["format"] != FORMAT:
        raise DecodeError(f"a dead letter of format {envelope['format']}: this version reads {FORMAT}")
    return Kept(
        id=name or str(envelope["id"]),
        time=str(envelope.get("time", "")),
        route=str(envelope["route"]),
        reason=str(envelope.get("reason", "")),
        status=envelope.get("status"),
        source=str(envelope.get("source", "")),
        identifier=str(envelope.get("identifier", "")),
        record=envelope["record"],
        cut=str(envelope.get("cut", "")),
    )


def letter_id(record: Record, route: str) -> str:
    """The same for each delivery of one record to one route."""
    numbered = record.sequence_number if isinstance(record, TableRecord) else ""
    said = printable(numbered).encode() or portable(record.raw)
    source = printable(record.source).encode()
    return hashlib.sha256(b"\0".join([source, said, route.encode()])).hexdigest()[:32]


def portable(value: Any, layout: int = orjson.OPT_INDENT_2) -> bytes:
    """JSON of anything a source delivers, in a `layout` of orjson. Raises nothing: a letter is the last chance."""
    try:
        return orjson.dumps(value, _plain, _OPTIONS | layout)
    except TypeError:  # an integer over 64 bits, half of a surrogate pair, nesting without end
        return orjson.dumps(_tamed(value), _plain, _OPTIONS | layout)


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
