"""Documents of several items: make each once per batch, check it after its write, and follow Reindex actions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, Protocol, TypeAlias

from ..context import Context
from ..errors import Reject
from ..model import Change, TableRecord, Undecodable
from ..model.outcomes import APPLIED, NOTHING_TO_WRITE, SUPERSEDED, Outcome
from ..model.serializer import typed
from ..model.table_record import requested
from ..routing import BoundRoute, Index, Reindex, Router, TableRoute
from ..routing.router import has_place
from .delivery import Task, Write
from .document_json import text_of
from .error_outcomes import result_of
from .matching import key_of, source_of
from .observers import Observer
from .route_calls import actions_of, reindexes_in, tables_of

AT_ONCE: Final = 500
"""Documents that are made again in one round."""

Place: TypeAlias = tuple[BoundRoute, str]
"""A route and the id of one of its documents."""

Request: TypeAlias = tuple[BoundRoute, str, TableRecord]
"""A route, the id of one of its documents, and a record to make it again."""


def one_per_document(tasks: Sequence[Task]) -> dict[Task, list[Task]]:
    """Return the tasks to process, each with the other tasks that make the same document.

    The current state is read for all of them, so one call of the route is enough. The task with the highest
    version represents them.
    """
    found: dict[Task, list[Task]] = {}
    leaders: dict[Place, Task] = {}
    for task in tasks:
        place = _place_of(task) if task.bound and task.bound.once and not task.results else None
        other = leaders.get(place) if place else None
        if other is None or place is None:
            found[task] = []
        elif _version(other) >= _version(task):
            found[other].append(task)
            continue
        else:
            found[task] = [*found.pop(other), other]
        if place:
            leaders[place] = task
    return found


def settle_others(groups: Mapping[Task, Sequence[Task]]) -> None:
    """Give the tasks that another one represents its result."""
    for task, others in groups.items():
        for other in others:
            other.results = [SUPERSEDED if task.result.outcome.done else task.result]


def settle_made(tasks: Sequence[Task]) -> list[Task]:
    """Settle the tasks whose document, made again after its write, is the one that was written.

    Return the other tasks.
    """
    unsettled: list[Task] = []
    for task in tasks:
        if task.made and task.writes and _same(task.made, task.writes):
            task.writes, task.results = task.made, [APPLIED] * len(task.made)
        else:
            unsettled.append(task)
    return unsettled


def _same(made: Sequence[Write], writes: Sequence[Write]) -> bool:
    return [_content(write.action) for write in made] == [_content(write.action) for write in writes]


def _content(action: Any) -> Any:
    try:
        return text_of(action) if isinstance(action, Index) else action
    except (RecursionError, TypeError, ValueError):  # the write is rejected with the reason
        return action


def _version(task: Task) -> int:
    return 0 if isinstance(task.record, Undecodable) else task.record.version


def _place_of(task: Task) -> Place | None:
    """Return the place of the document of several items that a task makes.

    Return None if it makes none, or if its id is invalid, which the route call reports.
    """
    if task.bound is None or not task.bound.composite or isinstance(task.record, Undecodable):
        return None
    try:
        return task.bound, task.bound.document_id(task.record)
    except Exception:
        return None


Making: TypeAlias = Callable[[Sequence[Task]], object]
"""Makes the documents of tasks again: re-read, call the routes, write and check. The tasks then have results."""


class OverflowQueue(Protocol):
    """A queue for the documents beyond the setting `reindex_inline`."""

    def send(self, requests: Iterable[Request]) -> None:
        """Send all of them. Raises Retry, Halt, and what boto3 raises."""
        ...


class Wanted:
    """Documents that tasks want to be made again. Each is made once for all of them, AT_ONCE in one round."""

    def __init__(self, make: Making, observer: Observer):
        self._make = make
        self._observer = observer
        self._tasks: dict[Place, Task] = {}
        self._parents: dict[Place, list[Task]] = {}

    def add(self, parent: Task, bound: BoundRoute, name: str, record: TableRecord) -> None:
        place = bound, name
        task = self._tasks.setdefault(place, Task(parent.position, record, bound))
        if record.version > _version(task):
            task.record = task.seen = record
        self._parents.setdefault(place, []).append(parent)
        if len(self._tasks) >= AT_ONCE:
            self.finish()

    def finish(self) -> None:
        """Make the documents, and pass the results of unfinished ones on to the tasks that wanted them."""
        if self._tasks:
            self._make(list(self._tasks.values()))
        for place, task in self._tasks.items():
            if task.result.outcome is Outcome.REJECTED:
                first = self._parents[place][0]
                first.rejected = [*first.rejected, task]
            for parent in self._parents[place]:
                _pass_on(task, parent)
        for route, documents in Counter(task.route for task in self._tasks.values()).items():
            self._observer.reindexed(route, documents, queued=False)
        self._observer.made_again(list(self._tasks.values()))
        self._tasks.clear()
        self._parents.clear()


class Reindexing:
    """Follow the Reindex actions of tasks.

    `queue` gets what is beyond `inline` documents of a record. Without it, all are made here if `endless`, and the
    record is rejected otherwise.
    """

    def __init__(
        self,
        router: Router,
        inline: int,
        observer: Observer,
        queue: OverflowQueue | None = None,
        endless: bool = True,
    ):
        self._router = router
        self._observer = observer
        self._inline = inline
        self._queue = queue
        self._endless = endless

    def follow(self, tasks: Sequence[Task], context: Context, make: Making) -> None:
        """Make the documents again that the tasks name.

        A task whose documents are not all finished gets the result of one that is not. Raises Halt.
        """
        fresh = {_place_of(task) for task in tasks if not _is_unfinished(task)}
        wanted = Wanted(make, self._observer)
        for parent in tasks:
            if parent.bound is None or not parent.bound.reindexes or _is_unfinished(parent):
                continue
            for request in self._requests(parent, parent.bound, context):
                if request[:2] not in fresh:
                    wanted.add(parent, *request)
                if _is_unfinished(parent):
                    break
        wanted.finish()

    def _requests(self, parent: Task, bound: BoundRoute, context: Context) -> Iterator[Request]:
        """Yield a record for each document that a task wants to be made again. An error is the task's result."""
        record = parent.record
        assert not isinstance(record, Undecodable)
        try:
            reindexes = reindexes_of(parent, bound, record, context)
            requests = (one for reindex in reindexes for one in requests_of(reindex, record, self._router))
            yield from self._within_limit(requests)
        except Exception as error:
            doing = f"{bound.name} Reindex for {source_of(record)}"
            parent.results = [result_of(error, doing, f", key {key_of(record)}")]

    def _within_limit(self, requests: Iterator[Request]) -> Iterator[Request]:
        """Yield requests up to the limit. Send the rest to the queue, or raise Reject without one."""
        for number, request in enumerate(requests):
            if number < self._inline or (self._queue is None and self._endless):
                yield request
            elif self._queue is None:
                raise Reject(
                    f"it changes more than {self._inline} documents (setting reindex_inline), which takes too long"
                    " in a Lambda: set task_queue (docs/operations.md), and redrive this dead letter"
                )
            else:
                queued = Counter[str]()
                self._queue.send(_counted(chain([request], requests), queued))
                for route, documents in queued.items():
                    self._observer.reindexed(route, documents, queued=True)
                return


def reindexes_of(task: Task, bound: BoundRoute, record: Change, context: Context) -> Sequence[Reindex]:
    """Return the Reindex actions of a task. If its record was re-read, add those of the delivered images.

    A document that the item belonged to before the change has to be made again as well.
    """
    found = list(task.reindexes or ())
    if (task.seen is record and task.reindexes is not None) or record.event in bound.batched:
        return found
    if bound.readable:
        context = context.with_tables(tables_of(bound, [record], context))
    return [*found, *reindexes_in(actions_of(bound, record, context))]


def requests_of(reindex: Reindex, record: Change, router: Router) -> Iterator[Request]:
    """Yield the documents that an action names, each with a record that asks to make it again.

    Raises DecodeError and TypeError for a key that is not one of the route's table, and what the keys raise.
    """
    sequence = record.sequence_number if isinstance(record, TableRecord) else ""
    targets = [bound for bound in router.targets if type(bound.route) is reindex.route]
    for key in reindex.keys:
        for bound in targets:
            route = bound.route
            assert isinstance(route, TableRoute)
            named = typed({name: value for name, value in key.items() if name in bound.key})
            asked = requested(router.names.actual("table", route.table), named, record.created, sequence)
            if has_place(route, asked):
                yield bound, bound.document_id(asked), asked


def _counted(requests: Iterable[Request], by_route: Counter[str]) -> Iterator[Request]:
    """Yield the requests, and count them by the name of their route."""
    for request in requests:
        by_route[request[0].name] += 1
        yield request


def _is_unfinished(task: Task) -> bool:
    return not task.result.outcome.done


def _pass_on(task: Task, parent: Task) -> None:
    """Note the result of a document at the task that wanted it."""
    if _is_unfinished(task):
        parent.results, parent.failed, parent.failing = [task.result], task.failed, task.failing
    elif parent.results == [NOTHING_TO_WRITE] or not parent.results:
        parent.results = [APPLIED]
