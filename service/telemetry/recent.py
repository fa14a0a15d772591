"""The latest records and their outcomes, for the page. Their number and bytes are bounded."""

from __future__ import annotations

import itertools
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from ..model import ObjectRecord, Record, TableRecord
from ..pipeline import Dispatched, Observer, Outcome, Result, Task

LARGEST: Final = 64 * 1024
"""Approximate bytes of the largest record that is kept in full. Larger ones keep only their metadata."""

BYTES: Final = 8 * 1024 * 1024
"""Approximate bytes of all kept records, at most."""

LONGEST: Final = 512
"""The maximum characters of a key."""


@dataclass(frozen=True, slots=True)
class Written:
    """A requested write: the action ("Index", "Delete", …), its target, document id and version."""

    action: str
    target: str
    id: str
    version: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A record on one of its routes ("" without a route), and its outcome.

    `time` is the time of the outcome in Unix seconds. `record` is None if it was too large to keep. `reread` is
    True if the current state was re-read and written in place of the record's image.
    """

    id: str
    number: int
    time: float
    source: str
    route: str
    event: str
    key: str
    result: Result
    writes: tuple[Written, ...]
    reread: bool
    record: Record | None
    size: int


class Recent(Observer):
    """Keep the latest records and, separately, the latest failed ones.

    Failures are rare, and under load other records would displace them at once. Threads share it. A batch takes
    its lock once.
    """

    def __init__(self, most: int, now: Callable[[], float] = time.time):
        """`most` limits the number of records of each kind."""
        self._most = most
        self._now = now
        self._lock = Lock()
        self._numbers = itertools.count(1)
        self._run = secrets.token_hex(3)  # makes ids unique across restarts
        self._latest = Ring(most)
        self._troubled = Ring(most)

    def dispatched(self, done: Dispatched) -> None:
        now = self._now()
        first = len(done.tasks) - self._most
        with self._lock:
            for position, task in enumerate(done.tasks):
                result = task.result
                troubled = result.outcome <= Outcome.REJECTED
                if position < first and not troubled:
                    continue
                seen = self._seen(done.source, task, result, now)
                if position >= first:
                    self._latest.add(seen)
                if troubled:
                    self._troubled.add(seen)

    def records(self) -> list[Seen]:
        """Return the kept records, latest first."""
        with self._lock:
            kept = {seen.number: seen for seen in (*self._troubled, *self._latest)}
        return sorted(kept.values(), key=lambda seen: -seen.number)

    def find(self, id: str) -> Seen | None:
        """Return the record of an id; None if it is no longer kept."""
        return next((seen for seen in self.records() if seen.id == id), None)

    def _seen(self, source: str, task: Task, result: Result, now: float) -> Seen:
        record, number = task.record, next(self._numbers)
        size = size_of(record)
        event, key = subject_of(record)
        writes = tuple(Written(w.kind, w.target, w.id, w.version) for w in task.writes)
        return Seen(
            id=f"{self._run}-{number}",
            number=number,
            time=now,
            source=source,
            route=task.route,
            event=event,
            key=key[:LONGEST],
            result=result,
            writes=writes,
            reread=task.seen is not record,
            record=record if size <= LARGEST else None,
            size=size if size <= LARGEST else LONGEST,
        )


class Ring(deque[Seen]):
    """The last `most` records, of BYTES bytes at most."""

    def __init__(self, most: int):
        super().__init__()
        self._most = most
        self._bytes = 0

    def add(self, seen: Seen) -> None:
        self.append(seen)
        self._bytes += seen.size
        while len(self) > self._most or self._bytes > BYTES:
            self._bytes -= self.popleft().size


def size_of(record: Record) -> int:
    """Return the approximate size of a record in bytes.

    Stream records contain it ("StreamRecord", DynamoDB Streams API Reference). Others are measured, because the
    sender of a queue message can set any size.
    """
    if isinstance(record, TableRecord) and record.ordered:
        said = record.raw["dynamodb"].get("SizeBytes")
        if isinstance(said, int):
            return said
    return count(record.raw)


def count(value: Any) -> int:
    """Return the approximate size of a value in bytes. Counting stops above LARGEST."""
    size, rest = 0, [value]
    while rest and size <= LARGEST:
        one = rest.pop()
        size += len(one) + 8 if isinstance(one, str | bytes | bytearray) else 16
        if isinstance(one, dict):
            rest += one.keys()
            rest += one.values()
        elif isinstance(one, list | tuple | set | frozenset):
            rest += one
    return size


def subject_of(record: Record) -> tuple[str, str]:
    """Return the event and key of a record for display; for an undecodable record, the source's identifier."""
    if isinstance(record, TableRecord):
        keys = [v for typed in record.typed_keys.values() if isinstance(typed, dict) for v in typed.values()]
        return record.event, " | ".join(map(str, keys))
    if isinstance(record, ObjectRecord):
        return record.event, f"{record.bucket}/{record.key}"
    return "undecodable", record.identifier
