"""Steps 2 and 6: read the current state of items and objects whose versions do not prove which state is newer.

`reread_rules` has the rules. This module collects the facts, reads, and puts the current state into the tasks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from ..errors import DecodeError
from ..model import (
    CREATED,
    DELETED,
    INSERT,
    REMOVE,
    Change,
    Item,
    ObjectRecord,
    Record,
    Revision,
    TableRecord,
    Undecodable,
)
from ..model.outcomes import STALE, Outcome, Result
from ..model.versions import NO_VERSION, second_of
from ..routing import BoundRoute, Location
from .delivery import Task
from .error_outcomes import result_of
from .matching import key_of
from .reread_rules import Decision, Facts, Moment, decide, rule_of
from .sub_documents import item_of, names_by_item, names_of
from .unchanged import same_document

PROMPT: Final = 30.0
"""Age in seconds up to which an unordered record is trusted not to restore a document with a forgotten deletion.

A queue without a backlog delivers faster. A server restart, which forgets deletions, takes about as long. With
a lower value, more documents would disappear and reappear while a queue has a backlog.
"""

ROUNDS: Final = 4
"""Maximum rounds of re-read and write in one try, for records that keep meeting newer versions."""


class CurrentState(Protocol):
    """Reads the current state of items and objects."""

    def items(self, records: Sequence[TableRecord]) -> list[Mapping[str, Any] | None]:
        """Return the typed item of each record, from a consistent read, or None if it does not exist."""
        ...

    def collection(self, record: TableRecord, bound: BoundRoute) -> list[Item]:
        """Return the items of the record's collection, in the order of their sort keys, from a consistent read."""
        ...

    def sub_documents(self, places: Sequence[tuple[str, str]]) -> list[set[str]]:
        """Return the ids of the sub-documents of each item, which is an index and the item's document id."""
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

    lookups: CurrentState
    hint_after: float
    trusting: bool = False
    always: bool = False
    now: Callable[[], float] = time.time

    def reread_before_write(self, tasks: Sequence[Task]) -> None:
        """Set the current state on tasks that need it, or a result if the re-read fails. Raises Halt."""
        items: list[Task] = []
        for task in tasks:
            if task.results or task.bound is None or (_is_trusted(task) and not self.always):
                continue
            record = task.record
            if isinstance(record, Undecodable):
                continue
            if isinstance(record, TableRecord):
                unranked = not (record.ordered or record.ranked or self.trusting)
                if (unranked or task.bound.composite) and task.reread_version is None:
                    task.reread_version = record.version
                if self._before(task, task.bound, record) is not Decision.READ:
                    continue
                if task.bound.collection:
                    self._reread_collection(task, task.bound, record)
                else:
                    items.append(task)
            elif self._before(task, task.bound, record) is Decision.READ:
                self._reread_object(task, record)
            else:
                task.newer_only = not self.trusting
        if items:
            self._reread_items(items)

    def reopen(self, tasks: Sequence[Task]) -> list[Task]:
        """Reopen the tasks that need a re-read after their write, and return them. Raises Halt."""
        reopened: list[Task] = []
        items: list[tuple[Task, Decision]] = []
        for task in tasks:
            if _is_settled(task) or task.bound is None or isinstance(task.record, Undecodable):
                continue
            decision = self._after(task, task.bound, task.record)
            if decision is Decision.READ:
                reopened.append(task)
            elif decision is Decision.MAKE_AGAIN and task.writes and task.writes is not task.made:
                made = task.writes
                task.reopen(_version_of(task, task.record))
                task.made = made
                reopened.append(task)
            elif decision in (Decision.CHECK, Decision.CHECK_DELETED):
                if isinstance(task.seen, TableRecord):
                    items.append((task, decision))
                elif self._changed_meanwhile(task):
                    reopened.append(task)
        return reopened + self._overtaken(items) if items else reopened

    def why(self, record: Change, bound: BoundRoute) -> str:
        """Return the reason why a record needs a re-read for a route, or "" if it is trusted."""
        return rule_of(self._facts(Moment.BEFORE, record, bound)).why.format(hint_after=self.hint_after)

    def age(self, record: Record) -> float:
        """Return the seconds since the change, or infinity for a record without a time."""
        return self.now() - record.created if record.created is not None else float("inf")

    def _facts(self, moment: Moment, record: Change, bound: BoundRoute, **more: Any) -> Facts:
        item = isinstance(record, TableRecord)
        return Facts(
            moment,
            item=item,
            ordered=record.ordered,
            dated=record.version != NO_VERSION,
            ranked=not isinstance(record, TableRecord) or record.ranked,
            complete=not isinstance(record, TableRecord) or _is_complete(record, bound),
            identified=not isinstance(record, ObjectRecord) or str(record.revision) != "",
            one_version=isinstance(record, ObjectRecord) and record.event == DELETED and bool(record.version_id),
            old=self.age(record) > self.hint_after,
            by_hand=self.always,
            trusting=self.trusting,
            fetch=bound.fetch,
            composite=bound.composite,
            versioned=bound.versioned,
            indexed=bool(bound.index),
            items=bool(bound.item_table),
            rows=bool(bound.database),
            **more,
        )

    def _before(self, task: Task, bound: BoundRoute, record: Change) -> Decision:
        return decide(self._facts(Moment.BEFORE, record, bound, reopened=task.reread_version is not None))

    def _after(self, task: Task, bound: BoundRoute, record: Change) -> Decision:
        """Return the decision after a write. If it is READ, the task is reopened at the version that it met."""
        current = task.seen is not record
        conflicts = {result.conflict for result in task.results if result.conflict is not None}
        version = record.version if task.reread_version is None else task.reread_version
        # Of several documents, one may have a version that no re-read settles. The others must not get it.
        for conflict in sorted(conflicts, reverse=True):
            decision = decide(
                self._facts(
                    Moment.CONFLICT,
                    record,
                    bound,
                    current=current,
                    ahead=second_of(conflict) - second_of(version),
                    equal=task.newer_only and conflict == record.version,
                )
            )
            if decision is Decision.READ:
                task.reopen(conflict)
                return decision
        if task.result.outcome is not Outcome.APPLIED:
            return Decision.SETTLED
        created = not current and any(result.created for result in task.results)
        late = created and self.age(record) > PROMPT
        reopened = task.reread_version is not None
        return decide(self._facts(Moment.WRITTEN, record, bound, reopened=reopened, created=late))

    def _reread_items(self, tasks: Sequence[Task]) -> None:
        for task, now in self._read(tasks):
            if not self.always and _is_outdated(task, now):
                task.results = [STALE]
            else:
                _set_current(task, now)

    def _reread_collection(self, task: Task, bound: BoundRoute, record: TableRecord) -> None:
        try:
            items = self.lookups.collection(record, bound)
        except Exception as error:
            where, about = f"reading a collection of table {record.table}", f", key {key_of(record)}"
            task.results = [result_of(error, where, about)]
            return
        _set_current(task, record.as_collection(items, _version_of(task, record)))

    def name_sub_documents(self, tasks: Sequence[Task]) -> None:
        """Set the ids of the sub-documents that each task may have to delete, or a result if the search fails."""
        searched: list[tuple[Task, Location]] = []
        for task in tasks:
            record, bound = task.record, task.bound
            if task.results or bound is None or not bound.splits or not isinstance(record, TableRecord):
                continue
            try:
                names, complete = names_of(bound, record, current=task.seen is not record)
                if not complete:
                    searched.append((task, bound.location(record)))
            except Exception:  # noqa: S112  # the route call reports the error
                continue
            task.named = {*(task.named or ()), *names}
        if not searched:
            return
        try:
            found = self.lookups.sub_documents([(place.index, place.id) for _, place in searched])
        except Exception as error:
            for task, _ in searched:
                task.results = [replace(result_of(error, "searching sub-documents"), shared=len(searched) > 1)]
            return
        # The search does not find what other records of this delivery are going to write.
        others = names_by_item(tasks, [task for task, _ in searched])
        for (task, _), ids in zip(searched, found, strict=True):
            task.named = {*(task.named or ()), *ids, *others[item_of(task)]}

    def _overtaken(self, checks: Sequence[tuple[Task, Decision]]) -> list[Task]:
        """Reopen the tasks whose item differs from the written state, and return them.

        For CHECK_DELETED only a missing item counts: the record of any other change is still to be delivered. For
        sub-documents it may have been delivered, and the index may have forgotten that it deleted one.
        """
        decisions, overtaken = dict(checks), []
        for task, now in self._read([task for task, _ in checks]):
            assert isinstance(task.seen, TableRecord)
            splits = task.bound is not None and task.bound.splits
            if now.new != task.seen.new and (now.new is None or splits or decisions[task] is Decision.CHECK):
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
            failed = result_of(error, "re-reading items")
            if len(tasks) > 1 and failed.outcome is not Outcome.RETRY:
                for task in tasks:  # a single invalid key can fail the whole request
                    yield from self._read([task])
                return
            for task in tasks:
                task.results = [replace(failed, shared=len(tasks) > 1)]
            return
        for task, record, image in zip(tasks, records, images, strict=True):
            yield task, record.as_now(image, _version_of(task, record))

    def _reread_object(self, task: Task, record: ObjectRecord) -> None:
        try:
            found = self.lookups.revision(record)
        except Exception as error:
            task.results = [
                result_of(error, f"re-reading an object of bucket {record.bucket}", f", key {record.key}")
            ]
            return
        if record.event in (CREATED, DELETED):
            _set_current(task, _current(task, record, found))

    def _changed_meanwhile(self, task: Task) -> bool:
        """Re-read a written object, and reopen the task if it has changed since."""
        before = task.seen
        if not isinstance(before, ObjectRecord) or not isinstance(task.record, ObjectRecord):
            return False
        try:
            now = _current(task, task.record, self.lookups.revision(task.record))
        except Exception as error:
            where, key = f"re-reading an object of bucket {task.record.bucket} after its write", task.record.key
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
        and task.reread_version is None
        and bound is not None
        and not bound.fetch
        and not bound.splits
        and (record.has_new or record.event not in bound.batched)
    )


def _is_complete(record: TableRecord, bound: BoundRoute) -> bool:
    """True if the record has the images that the route needs."""
    complete = record.has_new or record.event not in bound.batched
    return complete and (not bound.splits or record.event == INSERT or record.has_old)


def _is_settled(task: Task) -> bool:
    """True for the common case of a versioned write without a conflict. A fast check that may miss some."""
    bound, results = task.bound, task.results
    return (
        task.reread_version is None
        and bound is not None
        and bound.versioned
        and not bound.item_table
        and task.record.version != NO_VERSION  # type: ignore[union-attr]  # a record with a route is decoded
        and len(results) == 1
        and results[0].conflict is None
        and not results[0].created
    )


def _is_outdated(task: Task, now: TableRecord) -> bool:
    """True if an ordered record met a newer version and differs from the current state.

    The record with the current state follows in the shard, so nothing is written: a document never changes early
    and then back. With `skip_unchanged` that record is written only if its document differs, too. Sub-documents
    are always written: the records that follow may not name one that this record deletes.
    """
    record, bound = task.record, task.bound
    if task.reread_version is None or bound is None or bound.fetch or bound.splits:
        return False
    if not isinstance(record, TableRecord) or not record.ordered or record.version == NO_VERSION:
        return False
    if record.event != REMOVE and not record.has_new:
        return False
    try:
        if record.new == now.new:
            return False
        compared = bound.skips and record.new is not None and now.new is not None
        return not (compared and same_document(bound, record.new, now.new))  # type: ignore[arg-type]
    except DecodeError:  # the route call reports the error
        return False


def _version_of(task: Task, record: Change) -> int:
    """Return the version at which the current state is written."""
    return record.version if task.reread_version is None else max(record.version, task.reread_version)


def _current(task: Task, record: ObjectRecord, found: Revision | None) -> ObjectRecord:
    """Return the record with the event and content of the current object.

    For a route that writes SQL rows, a record that identifies its content keeps it: each content has its own rows,
    which are inserted once.
    """
    keeps = task.bound is not None and bool(task.bound.database) and str(record.revision) != ""
    content = record.revision if keeps else found or Revision()
    return record.as_now(CREATED if found else DELETED, _version_of(task, record), content)


def _set_current(task: Task, now: TableRecord | ObjectRecord) -> None:
    assert task.bound is not None
    task.seen = now
    if now.event not in task.bound.implemented:
        task.results = [Result(Outcome.SKIPPED, f"the route has no method for the current state ({now.event})")]
