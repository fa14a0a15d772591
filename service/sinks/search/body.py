"""Bulk request bodies: each document serialised once, straight into the request."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

from ...dispatch import Result, Write
from ...dispatch.outcomes import Outcome
from ...routing import Index
from .pace import Pace
from .values import path_of_no_number, surely_finite


@dataclass(slots=True)
class Chunk:
    """A bulk request: its actions' positions in the batch, and their lines. `more` says that another follows."""

    positions: list[int] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    more: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.lines)

    def parts(self, pace: Pace) -> Iterator[Chunk]:
        """The same actions in requests no larger than the pace, which may have become slower since it was made."""
        if len(self.lines) > 1 and (len(self.lines) > pace.actions or self.size > pace.bytes):
            for half in self.halves():
                yield from half.parts(pace)
        else:
            yield self

    def halves(self) -> tuple[Chunk, Chunk]:
        """The same actions in two requests."""
        middle = len(self.positions) // 2
        return _chunk(self.positions[:middle], self.lines[:middle]), _chunk(
            self.positions[middle:], self.lines[middle:]
        )


def _chunk(positions: list[int], lines: list[bytes]) -> Chunk:
    return Chunk(positions, lines, sum(map(len, lines)))


def chunks(lines: Iterable[tuple[int, bytes]], pace: Pace) -> Iterator[Chunk]:
    """The lines in requests no larger than the pace is when they are made; a single larger line goes alone."""
    chunk = Chunk()
    for position, line in lines:
        if chunk.lines and (len(chunk.lines) >= pace.actions or chunk.size + len(line) > pace.bytes):
            chunk.more = True
            yield chunk
            chunk = Chunk()
        chunk.positions.append(position)
        chunk.lines.append(line)
        chunk.size += len(line)
    if chunk.lines:
        yield chunk


def serialise(
    writes: Sequence[Write], metas: Mapping[str, Mapping[str, Any]], results: dict[int, Result], most_bytes: int
) -> Iterator[tuple[int, bytes]]:
    """Each write's position and lines; one that the server would refuse gets its result instead.

    `metas` is what an action says of the index that it is for.
    """
    heads = {name: orjson.dumps(meta)[:-1] for name, meta in metas.items()}
    for position, write in enumerate(writes):
        try:
            line = line_of(write, heads[write.target])
        except (RecursionError, TypeError, ValueError) as error:
            reason = f"index {write.target}: the document cannot be JSON: {error}"
            results[position] = Result(Outcome.REJECTED, reason)
            continue
        if len(line) > most_bytes:
            reason = f"index {write.target}: the document has {len(line)} bytes, more than {most_bytes}"
            results[position] = Result(Outcome.REJECTED, f"{reason} (STREAMDEX_DOCUMENT_BYTES)")
            continue
        yield position, line


def line_of(write: Write, head: bytes) -> bytes:
    """An action and its document. Deletes carry versions too: what they removed must not come back.

    `head` is what the action says of its index, the beginning of a JSON object. external_gte lets an equal version
    pass, so that a record that is delivered twice is no conflict.
    """
    version = b"" if write.version is None else b',"version":%d,"version_type":"external_gte"' % write.version
    place = orjson.dumps(write.id)
    if isinstance(write.action, Index):
        document = dump(write.action.document)
        return b'{"index":%b,"_id":%b%b}}\n%b\n' % (head, place, version, document)
    return b'{"delete":%b,"_id":%b%b}}\n' % (head, place, version)


def dump(document: Any) -> bytes:
    """JSON, with a Decimal and an integer over 64 bits as strings and bytes as base64.

    Raises TypeError or ValueError for what JSON has no word for: orjson writes NaN and infinities as null, so
    where there is a null it is looked whether it was one.
    """
    try:
        text = orjson.dumps(document, _plain)
    except TypeError:
        text = orjson.dumps(_within_64_bits(document), _plain)
    nulls = text.count(b"null")
    if nulls and not (type(document) is dict and (holds_nulls(document, nulls) or surely_finite(document))):
        path = path_of_no_number(document)
        if path:
            raise ValueError(f"{path} is no finite number")
    return text


def holds_nulls(document: dict[str, Any], nulls: int) -> bool:
    """Whether so many nulls are all attributes of the document itself that are None: seen without a look at the
    others, of which a document may have thousands."""
    return list(document.values()).count(None) == nulls


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__}")


def _within_64_bits(value: Any) -> Any:
    """The same with long integers as strings: orjson refuses them before it asks `_plain`."""
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    if isinstance(value, Mapping):
        return {key: _within_64_bits(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_within_64_bits(member) for member in value]
    return value
