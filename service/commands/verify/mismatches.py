"""Documents that differ when first compared. They are re-read until it is clear that they are wrong or correct."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final

from ...context import Context
from ...errors import Retry
from ...model import MODIFY, TableRecord
from ...pipeline.error_outcomes import reaching
from ...routing import BoundRoute, Location, Router
from ...sources.current_state import Lookups
from ..comparison import Comparison
from ..index_documents import stored
from .documents import Busy, Wanted, wanted
from .findings import Finding, Verdict, verdict_of

CHANGES: Final = 10
"""Number of changes of an item, during its re-reads, after which it is no longer checked."""

AT_ONCE: Final = 100
MOST: Final = 5000
"""Mismatches held before `add` re-reads them."""


@dataclass
class Mismatch:
    """A document that may be wrong. Its item equals `image` since `since`, in seconds of the clock.

    If the document is made of several items, `image` is the document that they make.
    """

    bound: BoundRoute
    record: TableRecord
    location: Location
    image: Mapping[str, Any] | None
    since: float
    changes: int = 0

    @property
    def is_misplaced(self) -> bool:
        """True if the document of this key belongs to another location: no write will ever reach this one."""
        try:
            place = self.bound.location(self.record)
            if self.bound.splits:  # its place has the id of the item
                place = replace(place, id=self.location.id)
            return place != self.location
        except Exception:  # the route's own code finds no location; the repair reports the error
            return False


@dataclass(frozen=True)
class State:
    """An item just read (None if deleted), the version and the verdict of its document, and where that belongs."""

    image: Mapping[str, Any] | None
    version: int | None
    verdict: Verdict | None
    belongs: Location | None


class Mismatches:
    """Mismatches to re-read. One that lasts for `patience` seconds while its item does not change is reported.

    A document that becomes correct in that time was only waiting for its record. An item that changes
    CHANGES times is not reported either. `on_finding` is called with each group of reported documents.
    """

    def __init__(
        self,
        context: Context,
        router: Router,
        patience: float,
        on_finding: Callable[[Sequence[tuple[Finding, Mismatch]]], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._context = context
        self._router = router
        self._patience = patience
        self._on_finding = on_finding
        self._clock = clock
        self._sleep = sleep
        self._lookups = Lookups(context)
        self._held: list[Mismatch] = []
        self._lock = Lock()

    def add(self, mismatches: Iterable[Mismatch]) -> None:
        """Add mismatches. Above MOST, re-read until enough of them are decided."""
        with self._lock:
            self._held += mismatches
            while len(self._held) > MOST:
                self._reread()

    def clear(self) -> None:
        """Re-read until all mismatches are decided."""
        with self._lock:
            while self._held:
                self._reread()

    def verdicts(self, mismatches: Sequence[Mismatch]) -> list[Verdict | None]:
        """Compare the documents with their items now; None for a document that agrees."""
        return [state.verdict for state in self._see(mismatches)]

    def _reread(self) -> None:
        self._sleep(min(max(self._patience / 10, 0.05), 2.0))
        rest: list[Mismatch] = []
        for begin in range(0, len(self._held), AT_ONCE):
            group = self._held[begin : begin + AT_ONCE]
            try:
                rest += self._reread_group(group)
            except (Busy, Retry):
                rest += group
        self._held = rest

    def _reread_group(self, group: Sequence[Mismatch]) -> list[Mismatch]:
        """Return the mismatches that are not decided yet."""
        rest, faults = [], []
        for mismatch, state in zip(group, self._see(group), strict=True):
            if state.verdict is None:
                continue
            now = self._clock()
            if state.image != mismatch.image:
                mismatch.image, mismatch.since = state.image, now
                mismatch.changes += 1
            if now - mismatch.since < self._patience:
                if mismatch.changes < CHANGES:
                    rest.append(mismatch)
                continue
            kind, fields = state.verdict
            elsewhere = state.belongs if state.belongs != mismatch.location else None
            found = Finding(
                kind,
                mismatch.location,
                mismatch.bound.name,
                mismatch.record.keys,
                fields,
                state.version,
                elsewhere,
            )
            faults.append((found, mismatch))
        if faults:
            self._on_finding(faults)
        return rest

    def _see(self, group: Sequence[Mismatch]) -> list[State]:
        """Read the items, then the documents."""
        single = [mismatch for mismatch in group if not mismatch.bound.collection]
        with reaching("re-reading items"):
            items = self._lookups.items([mismatch.record for mismatch in single])
        there = [
            mismatch.record.as_now(item, mismatch.record.version)
            for mismatch, item in zip(single, items, strict=True)
            if item is not None
        ]
        there += [mismatch.record for mismatch in group if mismatch.bound.collection]
        makes, _ = wanted(there, self._router, self._context)
        sources = {one.location: one.source for one in makes if one.source is not None}
        belong = {(one.bound.name, one.location.id): one.location for one in makes if one.source is not None}
        places = [mismatch.location for mismatch in group]
        read = {id(mismatch): item for mismatch, item in zip(single, items, strict=True)}
        images = [
            sources.get(mismatch.location) if mismatch.bound.composite else read[id(mismatch)]
            for mismatch in group
        ]
        now = time.time()
        return [
            State(
                image,
                found.version,
                verdict_of(
                    Comparison(sources.get(place), found, mismatch.record.version, mismatch.bound.computed),
                    now,
                    mismatch.bound.versioned,
                ),
                belong.get((mismatch.bound.name, place.id)),
            )
            for mismatch, image, place, found in zip(
                group, images, places, stored(self._context, places, passing(group)), strict=True
            )
        ]


def passing(places: Sequence[Wanted | Mismatch]) -> set[str]:
    """Return the indices that may be missing, because they are created at their first write."""
    return {one.location.index for one in places if one.bound.placement is not None}


def mismatch_of(one: Wanted, now: float) -> Mismatch:
    image = one.source if one.bound.composite else one.record.raw["dynamodb"].get("NewImage")
    return Mismatch(one.bound, one.record, one.location, image, now)


def keyed(stream: str, key: Mapping[str, Any], version: int) -> TableRecord:
    """Return a record that has only a typed key, for an item that will be read."""
    record = TableRecord({"eventName": MODIFY, "eventSourceARN": stream, "dynamodb": {"Keys": key}})
    record.version = version
    return record
