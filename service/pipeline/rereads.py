"""Re-read the current state of an item or object if the version of its record does not prove which state is newer.

The current state is then written instead of the record's images. A record is re-read before the write if:

- its route declares `fetch` or `versions = None`, or its stream has no new images;
- it has no usable time or sequencer;
- it is unordered (delivered through a queue) and older than `hint_after`. OpenSearch may have forgotten the
  version of a deleted document by then (after `index.gc_deletes`, and at once if a shard moves);
- it is unordered, and its sequence number has an unknown format. The order of versions within a second depends on
  the format, which AWS does not guarantee;
- its route writes DynamoDB items, and the record is an object record or unordered. DeleteItem leaves no version
  behind that could stop a stale write;
- it is the deletion of one version of an object, because other versions may exist;
- its route writes SQL rows from an object, and the record does not identify the object's content. A record that
  does is trusted, because each content has its own rows, which are inserted once.

A record is re-read after a version conflict if:

- it has no usable time or sequencer;
- it is ordered, and the stored version is at most RUNS_BACK seconds newer. Within a shard the sequence number
  orders the changes of an item, and their times may go back;
- it is unordered, its version is not trusted (unknown format, or already re-read), and the stored version is of
  the same second;
- its route writes DynamoDB items. An item may be written for records of several items and tables, whose
  versions do not order each other;
- it is an object record with the same version. A version has only the first digits of a sequencer, so it may come
  from another event.

An ordered record that meets a newer version and differs from the current state writes nothing, because the record
with the current state follows in the shard. So a document never changes early and then back.

A record is re-read after a successful write if:

- versions do not decide which write is newer: a re-read settled the order within a second, the record has no
  usable time or sequencer, the index has no versions, or the route writes DynamoDB items for an object or
  unordered record. If two processes read and write at the same time, the later one detects the change it missed;
- it is unordered and older than PROMPT, and it created the document. The index may have forgotten the deletion, so
  the document is deleted again if the item or object does not exist.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from ..errors import DecodeError
from ..model import CREATED, DELETED, REMOVE, Change, ObjectRecord, Record, Revision, TableRecord, Undecodable
from ..model.outcomes import STALE, Outcome, Result
from ..model.versions import NO_VERSION, RUNS_BACK, second_of
from ..routing import BoundRoute
from .error_outcomes import result_of
from .route_calls import Task

PROMPT: Final = 30.0
"""Age in seconds up to which an unordered record is trusted not to restore a document with a forgotten deletion.

A queue without a backlog delivers faster. A server restart, which forgets deletions, takes about as long. With
a lower value, more documents would disappear and reappear while a queue has a backlog.
"""

ROUNDS: Final = 4
"""Maximum rounds of re-read and write in one try, for records that keep meeting newer versions."""


class Lookups(Protocol):
    """Reads the current state of items and objects."""

    def items(self, records: Sequence[TableRecord]) -> list[Mapping[str, Any] | None]:
        """Return the typed item of each record, from a consistent read, or None if it does not exist."""
        ...

    def revision(self, upload: ObjectRecord) -> Revision | None:
        """Return the current content of the object, or None if it does not exist."""
        ...


@dataclass(frozen=True)
class Rereads:
    """Decide which records need a re-read, and perform it. `hint_after` is in seconds.

    `trusting` is True for recordings, whose records are trusted. `always` is True for dead letters: every
    record is re-read.
    """

    lookups: Lookups
    hint_after: float
    trusting: bool = False
    always: bool = False
    now: Callable[[], float] = time.time

    def reread_before_write(self, tasks: Sequence[Task]) -> None:
        """Set the current state on tasks that need it, or a result if the re-read fails. Raises Halt."""
        tasks = [task for task in tasks if self.always or not _is_trusted(task)]
        for task in tasks:
            record = task.record
            if isinstance(record, TableRecord) and not (record.ordered or record.ranked or self.trusting):
                task.at = record.version if task.at is None else task.at
        items = [task for task in tasks if isinstance(task.record, TableRecord) and self._needs_reread(task)]
        if items:
            self._reread_items(items)
        for task in tasks:
            if isinstance(task.record, ObjectRecord):
                if self._needs_reread(task):
                    self._reread_object(task, task.record)
                else:
                    task.strict = not self.trusting

    def reopen(self, tasks: Sequence[Task]) -> list[Task]:
        """Reopen the tasks that need a re-read after their write, and return them. Raises Halt."""
        tasks = [task for task in tasks if not _is_settled(task)]
        unsettled = [task for task in tasks if self._unsettled(task)]
        items = [t for t in tasks if isinstance(t.seen, TableRecord) and self._must_check_after_write(t)]
        return unsettled if self.trusting else unsettled + self._overtaken(items)

    def why(self, record: Change, bound: BoundRoute) -> str:
        """Return the reason why a record needs a re-read for a route, or "" if it is trusted."""
        asked = "it is delivered again by hand" if self.always else ""
        return asked or _why_of_route(record, bound) or self._why_of_itself(record, bound)

    def _needs_reread(self, task: Task) -> bool:
        record, bound = task.record, task.bound
        if bound is None or task.results or isinstance(record, Undecodable):
            return False
        return task.at is not None or self.why(record, bound) != ""

    def _why_of_itself(self, record: Change, bound: BoundRoute) -> str:
        if self.trusting or (bound.database and not bound.index):
            return ""
        timeless = "it has no usable time or sequencer" if record.version == NO_VERSION else ""
        if record.ordered:
            return timeless
        why = _why_of_object(record, bound) if isinstance(record, ObjectRecord) else _why_of_item(record, bound)
        return why or timeless or self._why_of_age(record)

    def _why_of_age(self, record: Change) -> str:
        old = self.age(record) > self.hint_after
        return f"it came unordered, and is older than hint_after ({self.hint_after:g} s)" if old else ""

    def age(self, record: Record) -> float:
        """Return the seconds since the change, or infinity for a record without a time."""
        return self.now() - record.created if record.created is not None else float("inf")

    def _reread_items(self, tasks: Sequence[Task]) -> None:
        for task, now in self._read(tasks):
            if not self.always and _is_outdated(task, now):
                task.results = [STALE]
            else:
                _set_current(task, now)

    def _overtaken(self, tasks: Sequence[Task]) -> list[Task]:
        """Reopen the tasks whose item differs from the written state, and return them.

        For late records only a missing item counts: the record of any other change is still to be delivered.
        """
        overtaken = []
        for task, now in self._read(tasks) if tasks else ():
            assert isinstance(task.seen, TableRecord)
            if now.new != task.seen.new and (now.new is None or _may_be_overtaken(task)):
                task.reopen(now.version)
                task.overtaken = True
                overtaken.append(task)
        return overtaken

    def _read(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, TableRecord]]:
        """Yield tasks with the current state of their records. If the read fails, set the results instead."""
        records = [task.record for task in tasks if isinstance(task.record, TableRecord)]
        try:
            images = self.lookups.items(records)
        except Exception as error:
            failed = result_of(error, "reading items as they are now")
            if len(tasks) > 1 and failed.outcome is not Outcome.RETRY:
                for task in tasks:  # a single invalid key can fail the whole request
                    yield from self._read([task])
                return
            for task in tasks:
                task.results = [replace(failed, shared=len(tasks) > 1)]
            return
        for task, record, image in zip(tasks, records, images, strict=True):
            version = record.version if task.at is None else max(record.version, task.at)
            yield task, record.as_now(image, version)

    def _reread_object(self, task: Task, record: ObjectRecord) -> None:
        try:
            found = self.lookups.revision(record)
        except Exception as error:
            task.results = [
                result_of(error, f"looking at an object of bucket {record.bucket}", f", key {record.key}")
            ]
            return
        if record.event in (CREATED, DELETED):
            _set_current(task, _current(task, record, found))

    def _unsettled(self, task: Task) -> bool:
        conflicts = [result.conflict for result in task.results if result.conflict is not None]
        conflict = max(conflicts, default=0)
        if conflicts and not self.trusting and _conflict_needs_reread(task, conflict):
            task.reopen(conflict)
            return True
        return self._must_check_after_write(task) and self._changed_meanwhile(task)

    def _must_check_after_write(self, task: Task) -> bool:
        """True if an item or object must be re-read after the write."""
        return _may_be_overtaken(task) or self._may_be_gone(task)

    def _may_be_gone(self, task: Task) -> bool:
        """True if a late record may have restored a deleted document."""
        created = task.seen is task.record and any(result.created for result in task.results)
        return created and self.age(task.record) > PROMPT

    def _changed_meanwhile(self, task: Task) -> bool:
        """Re-read a written object, and reopen the task if it has changed since."""
        before = task.seen
        if self.trusting or not isinstance(before, ObjectRecord) or not isinstance(task.record, ObjectRecord):
            return False
        try:
            now = _current(task, task.record, self.lookups.revision(task.record))
        except Exception as error:
            where, key = f"looking again at an object of bucket {task.record.bucket}", task.record.key
            task.results = [result_of(error, where, f", key {key}")]
            return False
        if (now.event, now.revision) == (before.event, before.revision):
            return False
        task.reopen(before.version)
        return True


def _is_trusted(task: Task) -> bool:
    """True for the common case of a trusted record. A fast check that may miss some."""
    record, bound = task.record, task.bound
    return (
        type(record) is TableRecord
        and record.ordered
        and record.version != NO_VERSION
        and task.at is None
        and bound is not None
        and not bound.fetch
        and (record.has_new or record.event not in bound.batched)
    )


def _is_settled(task: Task) -> bool:
    """True for the common case of a versioned write without a conflict. A fast check that may miss some."""
    bound, results = task.bound, task.results
    return (
        task.at is None
        and bound is not None
        and bound.versioned
        and not bound.item_table
        and task.record.version != NO_VERSION  # type: ignore[union-attr]  # a record with a route is decoded
        and len(results) == 1
        and results[0].conflict is None
        and not results[0].created
    )


def _may_be_overtaken(task: Task) -> bool:
    """True if versions do not order this write and concurrent writes of re-read state."""
    record, bound = task.record, task.bound
    if bound is None or isinstance(record, Undecodable):
        return False
    # All records without a usable time or sequencer share one version, so it does not show which was read last.
    undated = task.at is not None or not bound.versioned or (bound.index and record.version == NO_VERSION)
    if undated or (bound.item_table and not (isinstance(record, TableRecord) and record.ordered)):
        return task.result.outcome is Outcome.APPLIED
    return False


def _conflict_needs_reread(task: Task, conflict: int) -> bool:
    """True if a record may be newer than the write with the version `conflict` that it met."""
    record = task.record
    if record.version == NO_VERSION:  # type: ignore[union-attr]  # undecodable records are never written
        return True
    if not isinstance(record, TableRecord):
        return task.strict and conflict == record.version  # type: ignore[union-attr]
    if task.bound is not None and task.bound.item_table:
        return True
    version = record.version if task.at is None else task.at
    ahead = second_of(conflict) - second_of(version)
    if record.ordered:
        return ahead <= RUNS_BACK
    # Versions of unordered records are trusted if a write succeeds, so also if it conflicts.
    relied_on = record.ranked and task.seen is record
    return ahead == 0 and not relied_on


def _is_outdated(task: Task, now: TableRecord) -> bool:
    """True if an ordered record met a newer version and differs from the current state.

    The record with the current state follows in the shard. Records before it would visibly revert a write of the
    current state.
    """
    record, bound = task.record, task.bound
    if task.at is None or bound is None or bound.fetch or not isinstance(record, TableRecord):
        return False
    if not record.ordered or record.version == NO_VERSION or (record.event != REMOVE and not record.has_new):
        return False
    try:
        return record.new != now.new
    except DecodeError:  # the route call reports the error
        return False


def _why_of_route(record: Change, bound: BoundRoute) -> str:
    if bound.fetch:
        return "the route says fetch, or versions = None"
    if bound.database and isinstance(record, ObjectRecord) and not str(record.revision):
        return "it does not say which content of the object is meant"
    return "it has no new image" if _lacks_image(record, bound) else ""


def _why_of_object(record: ObjectRecord, bound: BoundRoute) -> str:
    if bound.item_table:
        return "items are made of the object as it is now"
    versions = record.event == DELETED and record.version_id
    return "one version of the object was deleted, and others may be there" if versions else ""


def _why_of_item(record: TableRecord, bound: BoundRoute) -> str:
    if bound.item_table:
        return "it came unordered, and the route writes items"
    return (
        ""
        if record.ranked
        else "it came unordered, and its sequence number does not order the changes of a second"
    )


def _lacks_image(record: TableRecord | ObjectRecord, bound: BoundRoute) -> bool:
    return isinstance(record, TableRecord) and record.event in bound.batched and not record.has_new


def _current(task: Task, record: ObjectRecord, found: Revision | None) -> ObjectRecord:
    """Return the record with the event and content of the current object.

    For a route that writes SQL rows, a record that identifies its content keeps it: each content has its own rows.
    """
    version = record.version if task.at is None else max(record.version, task.at)
    keeps = task.bound is not None and bool(task.bound.database) and str(record.revision) != ""
    content = record.revision if keeps else found or Revision()
    return record.as_now(CREATED if found else DELETED, version, content)


def _set_current(task: Task, now: TableRecord | ObjectRecord) -> None:
    assert task.bound is not None
    task.seen = now
    if now.event not in task.bound.implemented:
        task.results = [Result(Outcome.SKIPPED, f"what is there now is for no method ({now.event})")]
