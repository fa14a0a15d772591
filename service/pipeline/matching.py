"""Step 1: match records to routes. Times in the future are discarded first, so that they never become versions."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..model import Change, ObjectRecord, Record, TableRecord, Undecodable
from ..model.outcomes import Outcome, Result, no_route
from ..routing import BoundRoute, Router
from .delivery import Task
from .error_outcomes import result_of

logger = logging.getLogger(__name__)


def drop_future_times(batch: Sequence[Record], source: str, latest: float) -> None:
    """Clear each time after `latest` (Unix seconds), and the version made from it.

    Such a time comes from a wrong clock or a forged record. The record then has no usable time or sequencer, so
    its item or object is re-read. Otherwise its write would get a version that later changes cannot exceed. `raw`
    is not changed.
    """
    dropped = 0
    for record in batch:
        if type(record) is TableRecord:  # the common case: a record with a valid time costs no call
            if record.created is not None and record.created > latest:
                dropped += record.drop_times_after(latest)
        elif isinstance(record, ObjectRecord):
            dropped += record.drop_times_after(latest)
    if dropped:
        logger.warning(
            "ignoring times in the future: check this machine's clock and the permissions to send to the source",
            extra={"source": source, "records": dropped},
        )


def match(records: Sequence[Record], router: Router) -> list[Task]:
    """Return a task for each record and each of its routes. A record without a route has its result already."""
    tasks: list[Task] = []
    for position, record in enumerate(records):
        if isinstance(record, Undecodable):
            tasks.append(Task(position, record, None, results=[Result(Outcome.REJECTED, record.verdict)]))
        else:
            tasks += _tasks_of(position, record, router)
    return tasks


def _tasks_of(position: int, record: Change, router: Router) -> list[Task]:
    """Return a task for each route with a method for the record, or one with the reason why there is none."""
    tasks, matched = [], []
    for bound, test in router.candidates(record):
        try:
            if test is not None and not test(record):
                continue
        except Exception as error:
            doing = f"{bound.name} wants() of {source_of(record)}"
            asked = result_of(error, doing, f", key {key_of(record)}")
            tasks.append(Task(position, record, bound, results=[asked]))
            continue
        matched.append(bound)
        if record.event in bound.implemented:
            tasks.append(Task(position, record, bound))
    return tasks or [Task(position, record, None, results=[_without_route(record, matched)])]


def _without_route(record: Change, matched: Sequence[BoundRoute]) -> Result:
    if not matched:
        return no_route(source_of(record))
    if any(record.event in bound.ignored for bound in matched):
        return Result(Outcome.SKIPPED, f"the route ignores {record.event}")
    names = ", ".join(bound.name for bound in matched)
    what = f"eventName={record.event} (no method for it in {names})"
    return Result(
        Outcome.REJECTED, f"Unimplemented: id={key_of(record)} {what}", log_text=f"Unimplemented: {what}"
    )


def source_of(record: Change) -> str:
    """Return the table or bucket of a record, for messages."""
    return f"table {record.table}" if isinstance(record, TableRecord) else f"bucket {record.bucket}"


def key_of(record: Change) -> str:
    """Return the key of a record's item or object, for dead letters. Logs must not contain it."""
    if isinstance(record, ObjectRecord):
        return record.key
    values = [value for typed in record.typed_keys.values() if isinstance(typed, dict) for value in typed.values()]
    return ",".join(map(str, values))
