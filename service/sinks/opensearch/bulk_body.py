"""Build bulk request bodies. Each document is serialised once, directly into the request.

A request is smaller if the server is busy or refuses requests, and then larger again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

import orjson

from ...model.outcomes import Outcome
from ...pipeline import Result, Write
from ...pipeline.document_json import text_of
from ...routing import Index

LEAST_BYTES: Final = 1024
STEPS: Final = 10
"""Successful answers after which a size has grown from almost nothing to its maximum."""


class BulkSize:
    """The maximum actions and bytes of the next request. Threads share it."""

    def __init__(self, most_actions: int, most_bytes: int):
        self._most_actions = most_actions
        self._most_bytes = most_bytes
        self.actions = most_actions
        self.bytes = most_bytes
        self._lock = Lock()

    def busy(self) -> None:
        """Halve the actions, after the server refused work (429)."""
        with self._lock:
            self.actions = max(self.actions // 2, 1)

    def too_large(self, size: int) -> None:
        """Halve the bytes, after a request of `size` bytes was too large (413)."""
        with self._lock:
            self.bytes = max(min(self.bytes, size) // 2, LEAST_BYTES)

    def good(self) -> None:
        """Grow both limits by a step, up to their maximum, after a successful request."""
        with self._lock:
            self.actions = min(self.actions + self._most_actions // STEPS + 1, self._most_actions)
            self.bytes = min(self.bytes + self._most_bytes // STEPS + 1, self._most_bytes)


@dataclass(slots=True)
class Chunk:
    """A bulk request: the batch positions of its actions and their lines. `more` is true if another follows."""

    positions: list[int] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    more: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.lines)

    def halves(self) -> tuple[Chunk, Chunk]:
        """Return the same actions in two requests."""
        middle = len(self.positions) // 2
        return _chunk(self.positions[:middle], self.lines[:middle]), _chunk(
            self.positions[middle:], self.lines[middle:]
        )


def _chunk(positions: list[int], lines: list[bytes]) -> Chunk:
    return Chunk(positions, lines, sum(map(len, lines)))


def chunks(lines: Iterable[tuple[int, bytes]], pace: BulkSize) -> Iterator[Chunk]:
    """Yield the lines in requests within the limits at that moment. A single larger line is sent alone."""
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
    """Yield the position and the lines of each write.

    A write that the server would refuse gets its result instead. `metas` are the index fields of an action, by
    target.
    """
    heads = {name: orjson.dumps(meta)[:-1] for name, meta in metas.items()}
    for position, write in enumerate(writes):
        try:
            line = line_of(write, heads[write.target])
        except (RecursionError, TypeError, ValueError) as error:
            reason = f"index {write.target}: the document cannot be serialised as JSON: {error}"
            results[position] = Result(Outcome.REJECTED, reason)
            continue
        if len(line) > most_bytes:
            reason = (
                f"index {write.target}: the document has {len(line)} bytes, more than the maximum of {most_bytes}"
            )
            results[position] = Result(Outcome.REJECTED, f"{reason} (STREAMDEX_DOCUMENT_BYTES)")
            continue
        yield position, line


def line_of(write: Write, head: bytes) -> bytes:
    """Return the lines of an action.

    Deletes carry versions too, so that an older write cannot restore the document. `head` is the beginning of a
    JSON object with the index fields. `external_gte` accepts an equal version, so that a redelivered record is no
    conflict. A `newer_only` write uses `external`, which does not.
    """
    kind = b"external" if write.newer_only else b"external_gte"
    version = b"" if write.version is None else b',"version":%d,"version_type":"%b"' % (write.version, kind)
    place = orjson.dumps(write.id)
    if write.routing is not None:
        place += b',"routing":%b' % orjson.dumps(write.routing)
    if isinstance(write.action, Index):
        document = text_of(write.action)
        if write.pipeline:
            version += b',"pipeline":%b' % orjson.dumps(write.pipeline)
        return b'{"index":%b,"_id":%b%b}}\n%b\n' % (head, place, version, document)
    return b'{"delete":%b,"_id":%b%b}}\n' % (head, place, version)
