"""Match records to routes, call the routes, and convert their actions to writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from ..context import Context
from ..errors import Reject
from ..model import Change, Item, ObjectRecord, Record, TableRecord, Undecodable
from ..model.outcomes import BLOCKED, OUT_OF_TIME, Outcome, Result, no_route, worst
from ..routing import Action, BoundRoute, Delete, Document, Index, InsertRows, Router, TableRoute
from ..routing.routes import METHODS
from .document_json import indexing
from .error_outcomes import result_of
from .group_testing import parts_of_suspects
from .protocols import Write


@dataclass(slots=True, eq=False)
class Task:
    """One record on one of its routes, with the writes that the route returned and their results.

    - `seen` is the record that the route is called with: the delivered one, or one with the current state.
    - `at` is the version of a re-read: the write gets this or that of the record, whichever is higher.
    - `overtaken` is True if the item changed again after the write.
    - `strict` makes its writes strict (see Write), because other changes can have the same version.
    - `failed` is the last failure of this task alone in this delivery. `failing` has the writes that failed.
    - `crowd` is the number of tasks in its last failed call of `documents()`, or 0.
    """

    position: int
    record: Record
    bound: BoundRoute | None
    writes: Sequence[Write] = ()
    results: Sequence[Result] = ()
    at: int | None = None
    overtaken: bool = False
    failed: Result | None = None
    failing: Sequence[Write] = ()
    crowd: int = 0
    strict: bool = False
    seen: Record = field(init=False)

    def __post_init__(self) -> None:
        self.seen = self.record

    def forget(self) -> None:
        """Reset the task for another try."""
        self.writes, self.results, self.seen, self.strict = (), (), self.record, False

    def reopen(self, at: int | None) -> None:
        """Reset the task for a re-read, and write the current state at the version `at`."""
        self.forget()
        self.at = at

    @property
    def route(self) -> str:
        return self.bound.name if self.bound else ""

    @property
    def result(self) -> Result:
        return self.results[0] if len(self.results) == 1 else worst(self.results)


ACTIONS: Final = "Index, Delete, PutItem, UpdateItem, DeleteItem or InsertRows"

SEARCHES: Final = (Index, Delete)
"""The actions of a search index."""

DELETE: Final = Delete()

Gathered: TypeAlias = tuple[Task, TableRecord]
Step: TypeAlias = Callable[[str, str, Sequence[Task]], AbstractContextManager[None]]


def route(batch: Sequence[Record], router: Router) -> list[Task]:
    """Return a task for each record and each of its routes. A record without a route has its result already."""
    tasks: list[Task] = []
    for position, record in enumerate(batch):
        if isinstance(record, Undecodable):
            tasks.append(Task(position, record, None, results=[Result(Outcome.REJECTED, record.verdict)]))
        else:
            tasks += _routes_of(position, record, router)
    return tasks


def ask(tasks: Sequence[Task], context: Context, step: Step) -> None:
    """Call the routes of the tasks. Each task then has writes or a result. Raises Halt."""
    by_route: dict[BoundRoute, list[Task]] = {}
    for task in tasks:
        if task.bound is not None and not task.results:
            by_route.setdefault(task.bound, []).append(task)
    for bound, group in by_route.items():
        with step("route", bound.name, group):
            _ask_one(bound, group, context)
    _hold_back(tasks)


def actions_of(bound: BoundRoute, record: Change, context: Context) -> list[Action]:
    """Return all actions of a route for a record, before any is written. Raises the errors of the route."""
    name = METHODS[record.event]
    answer = getattr(bound.route, name)(record, context)
    if isinstance(answer, Action):
        raise Reject(f"{name}() returned one {type(answer).__name__}: return a list of actions")
    return list(answer)


def search_write(bound: BoundRoute, record: Change, action: Index | Delete, strict: bool = False) -> Write:
    """Return the write of an action to the route's index, with id and version."""
    version = record.version if bound.versioned else None
    return Write(record, action, bound.index, bound.document_id(record), version, strict)


def writes_of(bound: BoundRoute, record: Change, actions: Iterable[Action], strict: bool = False) -> list[Write]:
    """Return the writes of actions. Raises Reject if the route does not declare a target for an action."""
    writes = []
    for number, action in enumerate(actions):
        name = type(action).__name__
        if isinstance(action, SEARCHES):
            if not bound.index:
                raise Reject(f"{name} without a target: {bound.name} declares no index")
            made = indexing(action.document) if isinstance(action, Index) else action
            writes.append(search_write(bound, record, made, strict))
        elif isinstance(action, InsertRows):
            if not bound.database:
                raise Reject(f"{name} without a target: {bound.name} declares no database in writes")
            writes.append(Write(record, action, bound.database, f"{bound.name} {number}", record.version))
        elif isinstance(action, Action):
            if not bound.item_table:
                raise Reject(f"{name} without a target: {bound.name} declares no table in writes")
            writes.append(Write(record, action, bound.item_table, "", record.version))
        else:
            raise Reject(f"{name} is no action: return {ACTIONS}")
    return writes


def _routes_of(position: int, record: Change, router: Router) -> list[Task]:
    """Return a task for each route with a method for the record, or one with the reason why there is none."""
    tasks, matched = [], []
    for bound, test in router.candidates(record):
        try:
            if test is not None and not test(record):
                continue
        except Exception as error:
            doing = f"{bound.name} asked whether it wants one of {_source(record)}"
            asked = result_of(error, doing, f", key {_key(record)}")
            tasks.append(Task(position, record, bound, results=[asked]))
            continue
        matched.append(bound)
        if record.event in bound.implemented:
            tasks.append(Task(position, record, bound))
    return tasks or [Task(position, record, None, results=[_without_route(record, matched)])]


def _without_route(record: Change, matched: Sequence[BoundRoute]) -> Result:
    if not matched:
        return no_route(_source(record))
    if any(record.event in bound.ignored for bound in matched):
        return Result(Outcome.SKIPPED, f"{record.event} is ignored")
    names = ", ".join(bound.name for bound in matched)
    what = f"eventName={record.event} (no method for it in {names})"
    return Result(Outcome.REJECTED, f"Unimplemented: id={_key(record)} {what}", log_text=f"Unimplemented: {what}")


def _ask_one(bound: BoundRoute, tasks: Sequence[Task], context: Context) -> None:
    gathered: list[Gathered] = []
    for task in tasks:
        record = task.seen
        if isinstance(record, TableRecord) and record.event in bound.batched:
            gathered.append((task, record))
        elif not isinstance(record, Undecodable):
            _call(task, bound, record, context)
    if gathered and bound.alone:
        _call_document(bound, gathered, context)
    elif gathered:
        fresh = [one for one in gathered if not one[0].crowd]
        suspects = [one for one in gathered if one[0].crowd]
        for group in (fresh, *parts_of_suspects(suspects, lambda one: one[0].crowd)):
            if group:
                _call_documents(bound, group, context)


def _call(task: Task, bound: BoundRoute, record: Change, context: Context) -> None:
    if context.out_of_time():
        task.results = [OUT_OF_TIME]
        return
    try:
        task.writes = writes_of(bound, record, actions_of(bound, record, context), task.strict)
    except Exception as error:
        task.results = [_failed(error, bound, record)]


def _call_document(bound: BoundRoute, group: Sequence[Gathered], context: Context) -> None:
    """Call `document` for one item after the other. Each document becomes a write at once, to save memory."""
    if context.out_of_time():
        for task, _ in group:
            task.results = [OUT_OF_TIME]
        return
    assert isinstance(bound.route, TableRoute)
    make = bound.route.document
    for task, record in group:
        try:
            document = make(_item(record.read_new()))
            task.writes = [search_write(bound, record, DELETE if document is None else indexing(document))]
        except Exception as error:
            task.results = [_failed(error, bound, record)]


def _call_documents(bound: BoundRoute, group: Sequence[Gathered], context: Context) -> None:
    """Call `documents` for many items at once. If it fails, call it per item to find the one that fails."""
    if context.out_of_time():
        for task, _ in group:
            task.writes, task.results = [], [OUT_OF_TIME]
        return
    try:
        for (task, record), document in zip(group, _documents(bound, group, context), strict=True):
            task.writes = [search_write(bound, record, DELETE if document is None else indexing(document))]
    except Exception as error:
        result = _failed(error, bound, group[0][1])
        # After a transient failure, do not replace one request by many.
        if len(group) > 1 and result.outcome is not Outcome.RETRY:
            for one in group:
                _call_documents(bound, [one], context)
            return
        for task, _ in group:  # the next try splits the group
            task.crowd = len(group)
            task.writes, task.results = (), [replace(result, shared=len(group) > 1)]


def _documents(bound: BoundRoute, group: Sequence[Gathered], context: Context) -> Sequence[Document | None]:
    assert isinstance(bound.route, TableRoute)
    items = [_item(record.new) for _, record in group]
    documents = bound.route.documents(items, context)
    if len(documents) != len(items):
        raise Reject(f"documents() returned {len(documents)} documents for {len(items)} items")
    return documents


def _item(image: Item | None) -> Item:
    if image is None:
        raise Reject("there is no new image, and the item could not be read in its place")
    return image


def _hold_back(tasks: Sequence[Task]) -> None:
    """Block later records of an item or object while an earlier one on the same route is retried."""
    waiting: set[tuple[str, tuple[str, str]]] = set()
    for task in tasks:
        if isinstance(task.record, Undecodable):
            continue
        if task.results and any(result.outcome is Outcome.RETRY for result in task.results):
            waiting.add((task.route, task.record.subject))
        elif waiting and task.writes and (task.route, task.record.subject) in waiting:
            task.writes, task.results = (), [BLOCKED]


def _failed(error: Exception, bound: BoundRoute, record: Change) -> Result:
    return result_of(error, f"{bound.name} {record.event} of {_source(record)}", f", key {_key(record)}")


def _source(record: Change) -> str:
    return f"table {record.table}" if isinstance(record, TableRecord) else f"bucket {record.bucket}"


def _key(record: Change) -> str:
    if isinstance(record, ObjectRecord):
        return record.key
    values = [value for typed in record.typed_keys.values() if isinstance(typed, dict) for value in typed.values()]
    return ",".join(map(str, values))
