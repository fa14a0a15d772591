"""The format of a dead letter: the complete record, the route that failed, and the reason."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import orjson

from ...errors import DecodeError
from ...model import ObjectRecord, Record, TableRecord
from ...pipeline import DeadLetter, DeadLetterStore

logger = logging.getLogger(__name__)

FORMAT: Final = 1

_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME

_DEEPEST: Final = 100
"""Levels of nesting that are kept; deeper values become text. A DynamoDB item has at most 32."""


_EXCERPT: Final = 4096
"""Characters of a text that a truncated dead letter keeps; each takes at most six bytes."""

_ID: Final = re.compile(r"[0-9a-f]{32}")

_NAME: Final = re.compile(rf"({_ID.pattern})\.json")
"""The name of a dead letter's file or object."""


@dataclass(frozen=True)
class StoredDeadLetter:
    """A stored dead letter. `record` has the form of a Lambda event, `time` is in ISO 8601.

    `cut` describes the parts missing from a truncated dead letter; it is "" for a complete one. Raises DecodeError
    for an id that `letter_id` cannot produce, because stores build paths and keys from ids.
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


class ReadableDeadLetterStore(DeadLetterStore, Protocol):
    """A store of dead letters that can also be read, counted and purged."""

    def read(self, prefix: str = "") -> Generator[StoredDeadLetter, None, None]:
        """Yield each stored dead letter once; with a `prefix`, only those whose id begins with it.

        Close the generator if you stop early: dead letters already read from a queue stay invisible until then.
        """
        ...

    def claim(self, prefix: str = "") -> AbstractContextManager[Iterator[StoredDeadLetter]]:
        """Like `read`, for dead letters that may be removed until the block ends.

        Messages of a queue stay invisible to other consumers until then.
        """
        ...

    def remove(self, kept: StoredDeadLetter) -> None:
        """Remove a dead letter of `claim`, or the latest one that `read` yielded."""
        ...

    def count(self) -> int | None:
        """Return the approximate number of stored messages, objects or files; None if it is unknown."""
        ...


def seal(letter: DeadLetter, time: datetime) -> tuple[str, bytes]:
    """Return the id of a dead letter and its complete JSON. Bytes become base64, times Unix seconds."""
    envelope = _envelope(letter, time)
    return envelope["id"], portable(envelope)


def cut(letter: DeadLetter, time: datetime, why: str) -> bytes:
    """Return the JSON of a dead letter that is too large for its store: keys and reason, without images.

    A redrive re-reads the item or object by these keys. If the record has no keys, only its beginning is kept.
    """
    envelope = _envelope(letter, time)
    for name in ("reason", "source", "identifier"):
        envelope[name] = envelope[name][:_EXCERPT]
    keys = _keys(letter.record)
    if keys is None or len(portable(keys, layout=0)) > 2 * _EXCERPT:  # keys of DynamoDB and S3 are shorter
        text = portable(letter.record.raw, layout=0).decode()
        return portable(envelope | {"record": text[:_EXCERPT], "cut": f"only the beginning of the record: {why}"})
    return portable(envelope | {"record": keys, "cut": f"the record without its images: {why}"})


def _envelope(letter: DeadLetter, time: datetime) -> dict[str, Any]:
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
    """Return the id in the name of a dead letter's file or object; log any other name and return None."""
    found = _NAME.fullmatch(name)
    if found is None:
        logger.warning("skipped: not named like a dead letter", extra={"where": where})
        return None
    return found[1]


def unsealed(text: str | bytes, where: str, name: str = "") -> Iterator[StoredDeadLetter]:
    """Yield the dead letter in a JSON text. Log an unreadable text with its location `where`."""
    try:
        yield unseal(text, name)
    except DecodeError as error:
        logger.error("skipped: not a dead letter", extra={"where": where, "reason": str(error)})


def unseal(text: str | bytes, name: str = "") -> StoredDeadLetter:
    """Read a dead letter from its JSON. `name` is the id from its file or object name, "" for a queue message.

    A message has no such name, so its id is read from the JSON. Raises DecodeError if the text is not a dead
    letter, or has a later format.
    """
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"not a dead letter: not JSON: {error}") from error
    if not isinstance(envelope, Mapping) or not {"format", "id", "route", "record"} <= set(envelope):
        raise DecodeError("not a dead letter: format, id, route or record is missing")
    if envelope["format"] != FORMAT:
        raise DecodeError(f"dead letter of format {envelope['format']}: this version reads only format {FORMAT}")
    return StoredDeadLetter(
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
    """Return the id of a dead letter. It is equal for each delivery of one record to one route."""
    numbered = record.sequence_number if isinstance(record, TableRecord) else ""
    said = printable(numbered).encode() or portable(record.raw)
    source = printable(record.source).encode()
    return hashlib.sha256(b"\0".join([source, said, route.encode()])).hexdigest()[:32]


def portable(value: Any, layout: int = orjson.OPT_INDENT_2) -> bytes:
    """Return the JSON of any value that a source delivers, in a `layout` of orjson. Raises nothing.

    If storing a dead letter failed here, the record would be lost.
    """
    try:
        return orjson.dumps(value, _plain, _OPTIONS | layout)
    except TypeError:  # an integer over 64 bits, a lone surrogate, or too deep nesting
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
        return "nested too deeply to be stored"


def printable(text: str) -> str:
    """Return the text with lone surrogates escaped. UTF-8 cannot encode them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
