"""Records that are only a hint that something changed: what is there now is read, and that is written.

A record is a hint when its version cannot be trusted to settle what is newer:

- its route says `fetch` or `versions = None`, or its stream leaves out new images;
- it has no usable time or sequencer;
- it came unordered (through a queue) and is older than `hint_after`: OpenSearch may have forgotten the version of
  a deleted document by then (`index.gc_deletes`, and at once when a shard moves);
- it came in the order of its shard, and its write met a version of the same second, or of a few seconds later
  (RUNS_BACK): within a shard the sequence number orders the changes of an item, and their times may run back;
- it came unordered, with a sequence number of a form that was never seen: the order of versions within a second
  rests on that form, which AWS does not promise;
- its route writes items, and one of them was written for a newer version: an item may be written for records of
  several items and tables, whose versions do not order each other;
- it tells of an object from which items are made, or it came unordered and its route writes items: DeleteItem
  leaves no trace of what it was made from;
- it tells that an object was deleted, of which other versions may be there;
- it tells of an object, and its write met the same version: a version has only the first digits of a sequencer, so
  it may be of another event;
- rows are made of its object, and it does not say of which content. (One that does is taken at its word: each
  content has rows of its own, which are added once.)

- it came unordered and late (PROMPT), its document was new to the index, and its item or object is gone: the index
  may have forgotten its deletion. Only then it is read after it was written.

A record of a shard that met a newer version, and tells of what is no longer there, writes nothing: the one that
brings what is there is still to come. So nobody sees a document run ahead and go back.

What is written where versions do not tell what is newer (within a second that was settled by reading, or in an
index that keeps no versions) is looked at again afterwards: of two that read and write at the same time the last
one sees what it missed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from ..errors import DecodeError
from ..model import CREATED, DELETED, REMOVE, Change, ObjectRecord, Record, Revision, TableRecord, Undecodable
from ..model.outcomes import STALE, Outcome, Result
from ..model.versions import RUNS_BACK, UNORDERED, second_of
from ..routing import BoundRoute
from .error_outcomes import result_of
from .route_calls import Task

PROMPT: Final = 30.0
"""Seconds within which a record that came unordered is trusted not to be older than a deletion that was
forgotten. A queue that keeps up delivers in less. A server that restarts, and forgets, takes about as long. To
read sooner would show readers more documents go and come back while a queue is behind."""

ROUNDS: Final = 4
"""Looks at what is there, before a record that keeps meeting newer ones is left to its source."""


class Lookups(Protocol):
    """Where what is there now is read."""

    def items(self, records: Sequence[TableRecord]) -> list[Mapping[str, Any] | None]:
        """The typed items that records are about, read consistently; None for one that is gone."""
        ...

    def revision(self, upload: ObjectRecord) -> Revision | None:
        """The current content of the object; None if it is gone."""
        ...


@dataclass(frozen=True)
class Hints:
    """Decides which records are hints, and looks. `hint_after` in seconds.

    `trusting` is for a recording, whose records are taken at their word, and `always` for dead letters, of which
    each is only a hint.
    """

    lookups: Lookups
    hint_after: float
    trusting: bool = False
    always: bool = False
    now: Callable[[], float] = time.time

    def look(self, tasks: Sequence[Task]) -> None:
        """Replaces what hints say by what is there now; a task whose look fails has its result. Raises Halt."""
        tasks = [task for task in tasks if self.always or not _taken_at_its_word(task)]
        for task in tasks:
            record = task.record
            if isinstance(record, TableRecord) and not (record.ordered or record.ranked or self.trusting):
                task.at = record.version if task.at is None else task.at
        items = [task for task in tasks if isinstance(task.record, TableRecord) and self._is_hint(task)]
        if items:
            self._look_at_items(items)
        for task in tasks:
            if isinstance(task.record, ObjectRecord):
                if self._is_hint(task):
                    self._look_at_object(task, task.record)
                else:
                    task.strict = not self.trusting

    def reopen(self, tasks: Sequence[Task]) -> list[Task]:
        """Those of the tasks whose write did not settle what is newer, ready to be tried again. Raises Halt."""
        tasks = [task for task in tasks if not _surely_settled(task)]
        unsettled = [task for task in tasks if self._unsettled(task)]
        items = [t for t in tasks if isinstance(t.seen, TableRecord) and self._may_be_past(t)]
        return unsettled if self.trusting else unsettled + self._overtaken(items)

    def why(self, record: Change, bound: BoundRoute) -> str:
        """Why a record is only a hint to a route, in words; "" where it is taken at its word."""
        asked = "it is delivered again by hand" if self.always else ""
        return asked or _why_of_route(record, bound) or self._why_of_itself(record, bound)

    def _is_hint(self, task: Task) -> bool:
        record, bound = task.record, task.bound
        if bound is None or task.results or isinstance(record, Undecodable):
            return False
        return task.at is not None or self.why(record, bound) != ""

    def _why_of_itself(self, record: Change, bound: BoundRoute) -> str:
        if self.trusting or (bound.database and not bound.index):
            return ""
        timeless = "it has no usable time or sequencer" if record.version == UNORDERED else ""
        if record.ordered:
            return timeless
        why = _why_of_object(record, bound) if isinstance(record, ObjectRecord) else _why_of_item(record, bound)
        return why or timeless or self._why_of_age(record)

    def _why_of_age(self, record: Change) -> str:
        old = self.age(record) > self.hint_after
        return f"it came unordered, and is older than hint_after ({self.hint_after:g} s)" if old else ""

    def age(self, record: Record) -> float:
        """Seconds since the change; endless for a record without a time."""
        return self.now() - record.created if record.created is not None else float("inf")

    def _look_at_items(self, tasks: Sequence[Task]) -> None:
        for task, now in self._read(tasks):
            if not self.always and _is_past(task, now):
                task.results = [STALE]
            else:
                _see(task, now)

    def _overtaken(self, tasks: Sequence[Task]) -> list[Task]:
        """Those of the tasks whose item is no longer what was written, ready to be tried again.

        What came late and changed since has a record that is still to come, unless it is gone.
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
        """Tasks with their records as they are now; a task whose item cannot be read has its result."""
        records = [task.record for task in tasks if isinstance(task.record, TableRecord)]
        try:
            images = self.lookups.items(records)
        except Exception as error:
            failed = result_of(error, "reading items as they are now")
            if len(tasks) > 1 and failed.outcome is not Outcome.RETRY:
                for task in tasks:  # one key may be what sank them all
                    yield from self._read([task])
                return
            for task in tasks:
                task.results = [replace(failed, shared=len(tasks) > 1)]
            return
        for task, record, image in zip(tasks, records, images, strict=True):
            version = record.version if task.at is None else max(record.version, task.at)
            yield task, record.as_now(image, version)

    def _look_at_object(self, task: Task, record: ObjectRecord) -> None:
        try:
            found = self.lookups.revision(record)
        except Exception as error:
            task.results = [
                result_of(error, f"looking at an object of bucket {record.bucket}", f", key {record.key}")
            ]
            return
        if record.event in (CREATED, DELETED):
            _see(task, _current(task, record, found))

    def _unsettled(self, task: Task) -> bool:
        conflicts = [result.conflict for result in task.results if result.conflict is not None]
        conflict = max(conflicts, default=0)
        if conflicts and not self.trusting and _may_be_newer(task, conflict):
            task.reopen(conflict)
            return True
        return self._may_be_past(task) and self._changed_meanwhile(task)

    def _may_be_past(self, task: Task) -> bool:
        """True if an item or object has to be read again after it was written."""
        return _may_be_overtaken(task) or self._may_be_gone(task)

    def _may_be_gone(self, task: Task) -> bool:
        """True if a record may have brought back what was deleted: the index had neither document nor deletion."""
        created = task.seen is task.record and any(result.created for result in task.results)
        return created and self.age(task.record) > PROMPT

    def _changed_meanwhile(self, task: Task) -> bool:
        """Re-read the object after it was written, and reopen the task if the object has changed since."""
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


def _taken_at_its_word(task: Task) -> bool:
    """Whether a task is what nearly all are, none of whose marks makes it a hint: told at one look."""
    record, bound = task.record, task.bound
    return (
        type(record) is TableRecord
        and record.ordered
        and record.version != UNORDERED
        and task.at is None
        and bound is not None
        and not bound.fetch
        and (record.has_new or record.event not in bound.batched)
    )


def _surely_settled(task: Task) -> bool:
    """Whether a task was written in the order of its versions and met no other one: told at one look."""
    bound, results = task.bound, task.results
    return (
        task.at is None
        and bound is not None
        and bound.versioned
        and not bound.table
        and task.record.version != UNORDERED  # type: ignore[union-attr]  # a record with a route is decoded
        and len(results) == 1
        and results[0].conflict is None
        and not results[0].created
    )


def _may_be_overtaken(task: Task) -> bool:
    """Whether versions do not tell what was written from what others, who read at another moment, have written."""
    record, bound = task.record, task.bound
    if bound is None or isinstance(record, Undecodable):
        return False
    # All records without an order write at one version, so it does not tell which of them read last.
    undated = task.at is not None or not bound.versioned or (bound.index and record.version == UNORDERED)
    if undated or (bound.table and not (isinstance(record, TableRecord) and record.ordered)):
        return task.result.outcome is Outcome.APPLIED
    return False


def _may_be_newer(task: Task, conflict: int) -> bool:
    """Whether a record that met a higher version may tell of something newer all the same."""
    record = task.record
    if record.version == UNORDERED:  # type: ignore[union-attr]  # what could not be decoded is never written
        return True
    if not isinstance(record, TableRecord):
        return task.strict and conflict == record.version  # type: ignore[union-attr]
    if task.bound is not None and task.bound.table:
        return True
    version = record.version if task.at is None else task.at
    ahead = second_of(conflict) - second_of(version)
    if record.ordered:
        return ahead <= RUNS_BACK
    # A queue's versions are relied on where they pass, and so they are where they do not.
    relied_on = record.ranked and task.seen is record
    return ahead == 0 and not relied_on


def _is_past(task: Task, now: TableRecord) -> bool:
    """Whether a record of a shard met a newer version, and tells of what is no longer there.

    Then one that is still to come brings what is there. Written now, at the version that was found, it would be
    taken back by the records in between, for everybody to see.
    """
    record, bound = task.record, task.bound
    if task.at is None or bound is None or bound.fetch or not isinstance(record, TableRecord):
        return False
    if not record.ordered or record.version == UNORDERED or (record.event != REMOVE and not record.has_new):
        return False
    try:
        return record.new != now.new
    except DecodeError:  # that is for its route to say
        return False


def _why_of_route(record: Change, bound: BoundRoute) -> str:
    if bound.fetch:
        return "the route says fetch, or versions = None"
    if bound.database and isinstance(record, ObjectRecord) and not str(record.revision):
        return "it does not say which content of the object is meant"
    return "it has no new image" if _lacks_image(record, bound) else ""


def _why_of_object(record: ObjectRecord, bound: BoundRoute) -> str:
    if bound.table:
        return "items are made of the object as it is now"
    versions = record.event == DELETED and record.version_id
    return "one version of the object was deleted, and others may be there" if versions else ""


def _why_of_item(record: TableRecord, bound: BoundRoute) -> str:
    if bound.table:
        return "it came unordered, and the route writes items"
    return (
        ""
        if record.ranked
        else "it came unordered, and its sequence number does not order the changes of a second"
    )


def _lacks_image(record: TableRecord | ObjectRecord, bound: BoundRoute) -> bool:
    return isinstance(record, TableRecord) and record.event in bound.batched and not record.has_new


def _current(task: Task, record: ObjectRecord, found: Revision | None) -> ObjectRecord:
    """Return the record with the event and the content of the object that was found.

    A record that names its content keeps it if rows are made of it: each content has rows of its own.
    """
    version = record.version if task.at is None else max(record.version, task.at)
    keeps = task.bound is not None and bool(task.bound.database) and str(record.revision) != ""
    content = record.revision if keeps else found or Revision()
    return record.as_now(CREATED if found else DELETED, version, content)


def _see(task: Task, now: TableRecord | ObjectRecord) -> None:
    assert task.bound is not None
    task.seen = now
    if now.event not in task.bound.implemented:
        task.results = [Result(Outcome.SKIPPED, f"what is there now is for no method ({now.event})")]
