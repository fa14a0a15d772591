"""Makes documents what their items make them, while the streams are live."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from ...context import Context
from ...dispatch.failures import reaching
from ...records import TableRecord
from ...records.serializer import typed
from ...records.versions import MARGIN, stream_version
from ...routing import BoundRoute, Router
from ...sources.scan import describe
from ..tables import Service
from .documents import stored
from .findings import Kind
from .suspects import Suspect, Suspects, keyed

MENDED: Final = "mended"
TRIES: Final = 3


def repair(service: Service, faults: Sequence[Suspect], suspects: Suspects) -> list[str]:
    """Writes each document anew from its item, and says what became of it: MENDED, or why it is not.

    Its version is read first, then the item, and that is written at the version, or at that of a backfill if it is
    higher: whatever changes after the reading wins. What meets another version on the way is read once more.
    Raises Halt and Unreachable.
    """
    ends = dict.fromkeys(range(len(faults)), "not mended: it keeps changing")
    rest = list(ends)
    for _ in range(TRIES):
        reasons = _write(service, [faults[place] for place in rest])
        verdicts = suspects.verdicts([faults[place] for place in rest])
        for place, reason, verdict in zip(rest, reasons, verdicts, strict=True):
            if verdict is None:
                ends[place] = MENDED
            elif verdict[0] is Kind.NEWER and not verdict[1]:
                ends[place] = "not mended: its version is of a time to come; rebuild the index"
            elif reason:
                ends[place] = f"not mended: {reason}"
        rest = [place for place in rest if ends[place].endswith("changing")]
        if not rest:
            break
    return list(ends.values())


def _write(service: Service, faults: Sequence[Suspect]) -> list[str]:
    """Writes what the items make; for each why it could not be, "" where it was."""
    places = [(fault.bound.index, fault.id) for fault in faults]
    there = stored(service.context, places)
    reasons = [""] * len(faults)
    by_route: dict[BoundRoute, list[int]] = {}
    for place, fault in enumerate(faults):
        by_route.setdefault(fault.bound, []).append(place)
    for bound, group in by_route.items():
        records: list[TableRecord] = []
        for place in group:
            record = faults[place].record
            now = describe(service.context, record.table).now
            version = max(there[place].version or 0, stream_version(now - MARGIN, None))
            records.append(keyed(record.source, typed(record.keys), version))
        report = service.loader_of([bound], hints=True).dispatch(records, "repair")
        for place, result in zip(group, report.results, strict=True):
            reasons[place] = result.reason if result.reason and not result.outcome.done else ""
    return reasons


def delete_stray(context: Context, router: Router, index: str, name: str) -> str:
    """Deletes a document whose id is that of no item; what became of it."""
    versioned = all(bound.versioned for bound in router.bound if bound.index == index)
    (there,) = stored(context, [(index, name)])
    if there.source is None:
        return MENDED
    version = max(there.version or 0, stream_version(time.time() - MARGIN, None))
    parameters = {"version": version, "version_type": "external_gte"} if versioned else {}
    with reaching("the search server"):
        context.search.delete(index=index, id=name, params=parameters)
    return MENDED
