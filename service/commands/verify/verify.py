"""Compare tables with indices. Both are streamed, and differences are re-read before they are reported."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Final

import orjson

from ...checkpoints.stores import NoCheckpoints
from ...errors import DecodeError, Halt
from ...model import INSERT, MODIFY, REMOVE, Record
from ...model.versions import MARGIN, stream_version
from ...pipeline import Delivery, Outcome, Report, Result
from ...pipeline.error_outcomes import reaching
from ...routing import BoundRoute, Location, Router, TableRoute
from ...routing.patterns import is_plain
from ...routing.router import has_place
from ...sinks.opensearch.alias_targets import look_for
from ...sources.partitions import PartSource
from ...sources.scan import ReadPace, Table, describe, segments_of
from ..backfill.loading import Scan
from ..comparison import Comparison
from ..index_documents import stored
from ..rebuild.rollover import problem_of, remedy_of
from ..tables import Service
from ..work import work_off
from .documents import locations_in, wanted
from .findings import Finding, Kind, verdict_of
from .mismatches import Mismatch, Mismatches, keyed, mismatch_of, passing
from .options import VerifyOptions
from .repair import REPAIRED, delete_orphan, repair
from .seen import Seen

DONE: Final = Result(Outcome.SKIPPED, "verified")


@dataclass
class Verified:
    """The result of a verification.

    `items` and `documents` are the numbers that were checked. `left` counts the differences that remain and
    `repaired` the repaired ones, both by kind. `refused` is the number of items that their route, or the rules of
    the index, reject. `unverifiable` has the reason for each route, or index, that could not be checked.
    """

    items: int = 0
    documents: int = 0
    refused: int = 0
    left: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    unverifiable: dict[str, str] = field(default_factory=dict)


@dataclass
class Verification:
    """One run of a verification.

    `patience` is in seconds. `on_finding` is called with each finding and the end of its repair: "" without a
    repair, "repaired", or the reason of the failure. `advance` is called with the number of items and documents
    checked since its last call.
    """

    service: Service
    scan: Scan
    options: VerifyOptions
    patience: float
    on_finding: Callable[[Finding, str], None] = lambda finding, became: None
    advance: Callable[[int], None] = lambda more: None
    found: Verified = field(default_factory=Verified)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._placed = {bound.index for bound in self.service.router.bound if bound.placement is not None}
        self.share = self.options.share  # raises for an invalid share before any request is sent

    def run(self, tables: Mapping[str, Sequence[BoundRoute]]) -> Verified:
        """Compare tables with the indices of their routes. Raises SettingsError, Halt and Unreachable."""
        check_aliases(self.service, {bound.index for routes in tables.values() for bound in routes})
        with ExitStack() as stack:
            seen: dict[str, Seen] = {}
            verified_tables: list[tuple[Table, Router, Mismatches]] = []
            for name, routes in tables.items():
                known = self._verifiable(routes)
                if not known:
                    continue
                table = describe(self.service.context, name)
                router = Router([bound.route for bound in known], self.service.router.names, targets=())
                mismatches = self._mismatches_of(router)
                for bound in router.bound:
                    if bound.index not in seen:
                        seen[bound.index] = stack.enter_context(Seen())
                self._read_table(table, router, mismatches, seen)
                verified_tables.append((table, router, mismatches))
                mismatches.clear()
            for index, known_ids in seen.items():
                self._read_index(index, known_ids, verified_tables)
            for _, _, mismatches in verified_tables:
                mismatches.clear()
        return self.found

    def _verifiable(self, routes: Sequence[BoundRoute]) -> list[BoundRoute]:
        for bound in routes:
            if not {INSERT, MODIFY} <= bound.batched:
                self.found.unverifiable[bound.name] = "the route has its own insert() or modify()"
        return [bound for bound in routes if bound.name not in self.found.unverifiable]

    def _read_table(self, table: Table, router: Router, mismatches: Mismatches, seen: Mapping[str, Seen]) -> None:
        stopping = Event()
        pace = ReadPace(self.scan.read_units, sleep=stopping.wait)
        parts = segments_of(self.service.context, table, self.scan.segments, pace, self.share)
        source = PartSource(f"scan of table {table.name}", parts, len(parts), NoCheckpoints(), "verify", stopping)

        def work(delivery: Delivery) -> Report:
            records = delivery.records
            self._compare(records, router, mismatches, seen)
            self.advance(len(records))
            with self._lock:
                self.found.items += len(records)
            return Report([DONE] * len(records))

        work_off(source, work, stopping)

    def _compare(
        self, records: Sequence[Record], router: Router, mismatches: Mismatches, seen: Mapping[str, Seen]
    ) -> None:
        makes, failed = wanted(records, router, self.service.context)
        with self._lock:
            self.found.refused += sum(1 for task in failed if task.result.outcome is Outcome.REJECTED)
        by_index: dict[str, list[str]] = {}
        for one in makes:  # those that should not exist are compared below
            by_index.setdefault(one.bound.index, []).append(self._entry(one.bound.index, one.location))
        for index, names in by_index.items():
            seen[index].add(names)
        now = time.time()
        there = stored(self.service.context, [one.location for one in makes], passing(makes))
        mismatches.add(
            mismatch_of(one, time.monotonic())
            for one, found in zip(makes, there, strict=True)
            if verdict_of(
                Comparison(one.source, found, one.record.version, one.bound.computed), now, one.bound.versioned
            )
        )

    def _read_index(
        self, index: str, seen: Seen, verified_tables: Sequence[tuple[Table, Router, Mismatches]]
    ) -> None:
        """Find documents without an item, among all documents or a sample."""
        share, reason = self.share, self._unknown_owners(index, [router for _, router, _ in verified_tables])
        if reason:
            self.found.unverifiable[f"index {index}"] = reason
            return
        for name in self._indices_of(index):
            for page in locations_in(self.service.context, name):
                self.found.documents += len(page)
                self.advance(len(page))
                chance = (one for one in page if share == 1 or random.random() < share)  # noqa: S311
                seen.add_others(self._entry(index, one) for one in chance)
        for entry in seen.only_others():
            self._add_orphan(index, self._location(index, entry), verified_tables)

    def _indices_of(self, index: str) -> list[str]:
        """Return the index, or the existing indices of a pattern."""
        if is_plain(index):
            return [index]
        with reaching("the search server"):
            return [target.name for target in look_for(self.service.context, index)]

    def _entry(self, index: str, location: Location) -> str:
        """Return the text for a document of an index or pattern, which `Seen` compares: by default its id."""
        if index not in self._placed:
            return location.id
        return orjson.dumps([location.index, location.id, location.routing]).decode()

    def _location(self, index: str, entry: str) -> Location:
        """Return the location for an entry."""
        return Location(*orjson.loads(entry)) if index in self._placed else Location(index, entry)

    def _unknown_owners(self, index: str, routers: Sequence[Router]) -> str:
        """Return why documents of the index without an item cannot be found; "" if they can."""
        verified = {bound.name for router in routers for bound in router.bound if bound.index == index}
        owners = self.service.router.owners(index)
        strangers = [bound.name for bound in owners if bound.name not in verified]
        if strangers:
            return f"{', '.join(strangers)} also fills it and was not verified: its documents look like orphans"
        silent = [bound.name for bound in owners if REMOVE not in bound.implemented]
        own = [b.name for b in owners if getattr(type(b.route), "remove", None) is not TableRoute.remove]
        if silent or own:
            names = ", ".join(dict.fromkeys([*silent, *own]))
            return f"{names} has its own remove() or none: a document without an item may be correct"
        return ""

    def _add_orphan(
        self, index: str, location: Location, verified_tables: Sequence[tuple[Table, Router, Mismatches]]
    ) -> None:
        """Add a document without an item to the mismatches. Report it at once if no item can have its id."""
        for table, router, mismatches in verified_tables:
            for bound in router.bound:
                if bound.index != index:
                    continue
                try:
                    key = bound.typed_key(location.id)
                except DecodeError as error:
                    self._report(Finding(Kind.ORPHAN, location, bound.name, {}), f"not repaired: {error}")
                    return
                if key is None or key[0] not in ("", table.name):
                    continue
                record = keyed(table.stream, key[1], stream_version(table.now - MARGIN, None))
                if has_place(bound.route, record):
                    mismatches.add([Mismatch(bound, record, location, None, time.monotonic())])
                    return
        became = delete_orphan(self.service.context, self.service.router, location) if self.options.repair else ""
        self._report(Finding(Kind.ORPHAN, location, "", {}), became)

    def _mismatches_of(self, router: Router) -> Mismatches:
        """Return an empty set of mismatches. Confirmed ones are repaired with `--repair`, and reported."""

        def on_confirmed(faults: Sequence[tuple[Finding, Mismatch]]) -> None:
            ends = [""] * len(faults)
            if self.options.repair:
                ends = repair(self.service, [mismatch for _, mismatch in faults], mismatches)
            for (fault, _), became in zip(faults, ends, strict=True):
                self._report(fault, became)

        mismatches = Mismatches(self.service.context, router, self.patience, on_confirmed)
        return mismatches

    def _report(self, fault: Finding, became: str) -> None:
        (self.found.repaired if became == REPAIRED else self.found.left)[fault.kind.value] += 1
        self.on_finding(fault, became)


def check_aliases(service: Service, indices: Iterable[str]) -> None:
    """Check the aliases. Raises Halt if one is on several indices, where a document may exist twice."""
    with reaching("the search server"):
        targets = [target for index in sorted(indices) for target in look_for(service.context, index)]
    for target in targets:
        if target.others:
            raise Halt(f"alias {target.name}: {problem_of(target)}. To repair it, {remedy_of(target)}")
