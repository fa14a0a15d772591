"""Repair documents from their items while the streams are live."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from ...context import Context
from ...model import TableRecord
from ...model.serializer import typed
from ...model.versions import MARGIN, stream_version
from ...pipeline import Delivery, Outcome, Result
from ...pipeline.error_outcomes import reaching
from ...routing import BoundRoute, Location, Router
from ...sources.scan import describe
from ..index_documents import stored
from ..tables import Service
from .findings import Kind, Verdict
from .mismatches import Mismatch, Mismatches, keyed, passing

REPAIRED: Final = "repaired"
TRIES: Final = 3


def repair(service: Service, faults: Sequence[Mismatch], mismatches: Mismatches) -> list[str]:
    """Write each document again from its item. Return REPAIRED for each, or the reason why it is not repaired.

    The version of the document is read first, then the item. The write has that version, or the version of a
    backfill if it is higher, so any change after the read wins. If the index has a higher version, for example of
    a deletion, the item is read again and written at that version, up to TRIES times. A document whose place is
    elsewhere is deleted. Raises Halt and Unreachable.
    """
    ends = dict.fromkeys(range(len(faults)), "")
    at = [0] * len(faults)
    for place, fault in enumerate(faults):
        if fault.is_misplaced:
            ends[place] = delete_orphan(service.context, service.router, fault.location)
    for _ in range(TRIES if "" in ends.values() else 0):
        rest = [place for place, end in ends.items() if not end]
        results = _write(service, [faults[place] for place in rest], [at[place] for place in rest])
        verdicts = mismatches.verdicts([faults[place] for place in rest])
        for place, result, verdict in zip(rest, results, verdicts, strict=True):
            at[place] = result.conflict or 0
            ends[place] = _end(result, verdict)
    return [end or "not repaired: the item keeps changing" for end in ends.values()]


def _end(result: Result, verdict: Verdict | None) -> str:
    """Return the end of a repair: REPAIRED or the reason; "" if the write should be tried again."""
    if verdict is None:
        return REPAIRED
    kind, fields = verdict
    if kind is Kind.AHEAD and not fields:
        return "not repaired: the version of the document is in the future; rebuild the index"
    return "" if result.outcome in (Outcome.APPLIED, Outcome.STALE) else f"not repaired: {result.reason}"


def _write(service: Service, faults: Sequence[Mismatch], at: Sequence[int]) -> list[Result]:
    """Write the documents from their current items. `at` holds the minimum version of each."""
    there = stored(service.context, [fault.location for fault in faults], passing(faults))
    results: dict[int, Result] = {}
    by_route: dict[BoundRoute, list[int]] = {}
    for place, fault in enumerate(faults):
        by_route.setdefault(fault.bound, []).append(place)
    tables = {fault.record.table for fault in faults}
    dated = {table: stream_version(describe(service.context, table).now - MARGIN, None) for table in tables}
    for bound, group in by_route.items():
        records: list[TableRecord] = []
        for place in group:
            record = faults[place].record
            version = max(at[place], there[place].version or 0, dated[record.table])
            records.append(keyed(record.source, typed(record.keys), version))
        report = service.loader_of([bound], reread=True).run(Delivery(records, "repair"))
        results |= zip(group, report.results, strict=True)
    return [results[place] for place in range(len(faults))]


def delete_orphan(context: Context, router: Router, location: Location) -> str:
    """Delete a document that no item can have there, and return REPAIRED. Raises Halt and Unreachable."""
    versioned = all(bound.versioned for bound in router.owners(location.index))
    (there,) = stored(context, [location])
    if there.source is None:
        return REPAIRED
    version = max(there.version or 0, stream_version(time.time() - MARGIN, None))
    parameters: dict[str, Any] = {"version": version, "version_type": "external_gte"} if versioned else {}
    if location.routing is not None:
        parameters["routing"] = location.routing
    with reaching("the search server"):
        context.search.delete(index=location.index, id=location.id, params=parameters)
    return REPAIRED
