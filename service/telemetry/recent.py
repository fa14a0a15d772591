"""The latest records and how each ended, for the page: bounded in number and in bytes."""

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
from ..pipeline import Dispatched, Observer, Outcome, Result
from ..pipeline.route_calls import Task

LARGEST: Final = 64 * 1024
"""Bytes, about, of a record that is kept whole; of a larger one only what is said of it."""

BYTES: Final = 8 * 1024 * 1024
"""Bytes, about, of all records that are kept."""

LONGEST: Final = 512
"""Characters of a key."""


@dataclass(frozen=True, slots=True)
class Written:
    """A write that was asked for: "Index", "Delete", …; where, and at which version."""

    action: str
    target: str
    id: str
    version: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A record on one of its routes ("" without one), and how it ended.

    `time` is when, in Unix seconds; `record` is None where it was too large to be kept. A `hint` was one that
    something changed: what was there at the time was written in its place.
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
    hint: bool
    record: Record | None
    size: int


class Recent(Observer):
    """Keeps the latest records, and of those that did not end well the latest beside them: these are rare, and
    would be gone in a moment under load. Threads share it; a batch takes its lock once."""

    def __init__(self, most: int, now: Callable[[], float] = time.time):
        """`most` records are kept of either kind."""
        self._most = most
        self._now = now
        self._lock = Lock()
        self._numbers = itertools.count(1)
        self._run = secrets.token_hex(3)  # what an earlier process kept under a number is not this one's
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
        """What is kept, the latest first."""
        with self._lock:
            kept = {seen.number: seen for seen in (*self._troubled, *self._latest)}
        return sorted(kept.values(), key=lambda seen: -seen.number)

    def find(self, id: str) -> Seen | None:
        """The record of an id; None once it is no longer kept."""
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
            hint=task.seen is not record,
            record=record if size <= LARGEST else None,
            size=size if size <= LARGEST else LONGEST,
        )


class Ring(deque[Seen]):
    """The last so many records, and no more bytes of them than BYTES."""

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
    """Bytes, about, of a record as it came: as a stream says ("StreamRecord", DynamoDB Streams API Reference), or
    counted, for what comes through a queue may say anything."""
    if isinstance(record, TableRecord) and record.ordered:
        said = record.raw["dynamodb"].get("SizeBytes")
        if isinstance(said, int):
            return said
    return count(record.raw)


def count(value: Any) -> int:
    """Bytes, about, of any value; not further than LARGEST."""
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
    """The event and the key of a record, for a person; what the source calls it, where it cannot be read."""
    if isinstance(record, TableRecord):
        keys = [v for typed in record.typed_keys.values() if isinstance(typed, dict) for v in typed.values()]
        return record.event, " | ".join(map(str, keys))
    if isinstance(record, ObjectRecord):
        return record.event, f"{record.bucket}/{record.key}"
    return "undecodable", record.identifier
