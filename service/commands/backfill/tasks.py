"""The task queue: a backfill shared by many workers, and documents that one record cannot make again by itself.

Each worker reads some pages of a backfill task. It sends the rest to the queue as a new message before it deletes
the current one. If a worker is killed, its task is redelivered with the same position. A task that is delivered
twice is carried out twice, which versions make safe.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ...checkpoints.stores import ENDED
from ...errors import DecodeError, Reject, SettingsError, Unreachable
from ...model import Record
from ...model.backfill_task import BackfillTask, TaskRecord
from ...model.reindex_task import ReindexTask
from ...model.table_record import requested
from ...model.undecodable import Refused
from ...pipeline import Delivery, Dispatcher, Outcome, Report, Result
from ...pipeline.error_outcomes import reaching, result_of
from ...routing import BoundRoute, TableRoute
from ...sinks.reindex_queue import AT_ONCE, send_messages
from ...sources.files.export_partitions import ExportFile, export_file
from ...sources.files.exports import Export
from ...sources.partitions import Part
from ...sources.scan import MissingTable, ReadPace, Segment, Table, TableScan, describe
from ...sources.sqs.queue_source import url_of
from ..tables import Service
from .task_checks import check_copy, check_reindex, check_task, prefix_of

if TYPE_CHECKING:
    from .loading import Scan

LONGEST_DELAY: Final = 900
"""Maximum seconds that a message can be delayed ("SendMessage", SQS API Reference)."""

ENOUGH: Final = 10.0
"""Approximate maximum seconds for a page. With less time before the Lambda timeout, no page is started."""

AT_A_TIME: Final = 20.0
"""Seconds after which the rest of a task goes back to the queue, so that other workers can continue it."""

READ: Final = Result(Outcome.APPLIED, "pages of a backfill task")
MADE: Final = Result(Outcome.APPLIED, "documents of a reindex task")


class TaskQueue:
    """The queue that gets the tasks of a backfill."""

    def __init__(self, service: Service, queue: str):
        """Look up the queue.

        Raises Halt if it is missing, Unreachable, and SettingsError if it is a FIFO queue or not the `task_queue`.
        """
        self._service = service
        self._context = service.context
        existing = service.router.names.existing
        self._queue = existing("queue", queue)
        configured = service.settings.task_queue
        if configured and existing("queue", configured) != self._queue:
            raise SettingsError(
                f"--enqueue={queue} is not the task queue {configured} (STREAMDEX_TASK_QUEUE): no process"
                " accepts backfill tasks from another queue"
            )
        if queue.endswith(".fifo"):
            raise SettingsError(
                f"{queue} is a FIFO queue, which delivers tasks one at a time: use a standard queue"
            )
        with reaching(f"queue {self._queue}"):
            self._url = url_of(self._context.sqs, self._queue)

    def send(
        self,
        table: Table,
        routes: Sequence[BoundRoute],
        scan: Scan,
        files: Sequence[ExportFile],
        into: tuple[str, str],
    ) -> int:
        """Send a task for each segment of a table, or for each file of its export. Return the number of tasks.

        Raises Unreachable, and SettingsError if no worker would accept a task or the queue refuses it.
        """
        index, other = into
        task = BackfillTask(table.name, tuple(bound.name for bound in routes), index=index, into=other)
        if files:
            tasks = [replace(task, file=one.name, export=one.export.table, time=one.export.time) for one in files]
        else:
            every = replace(task, segments=scan.segments, units=scan.read_units / scan.segments)
            tasks = [replace(every, segment=number) for number in range(scan.segments)]
        prefix = prefix_of(self._service.settings.export_prefix)
        try:
            for one in tasks:
                check_task(one, self._service.router, prefix)
        except Reject as error:
            raise SettingsError(f"no worker would accept this backfill: {error}") from error
        for begin in range(0, len(tasks), AT_ONCE):
            bodies = [json.dumps(task.payload) for task in tasks[begin : begin + AT_ONCE]]
            refused = send_messages(self._context, self._queue, self._url, bodies)
            if refused:
                raise SettingsError(
                    f"queue {self._queue} rejected backfill tasks ({refused}): run the backfill again"
                )
        return len(tasks)


class TaskWorker:
    """A dispatcher for a queue with tasks: other records first, then the tasks."""

    def __init__(self, service: Service, dispatcher: Dispatcher, clock: Callable[[], float] = time.monotonic):
        self._service = service
        self._dispatcher = dispatcher
        self._clock = clock
        self._prefix = prefix_of(service.settings.export_prefix)
        self._inside: dict[str, Service] = {}

    def run(self, delivery: Delivery) -> Report:
        """Like Dispatcher.run. A task that does not come from a task queue becomes a dead letter."""
        tasks = {
            n: record
            for n, record in enumerate(delivery.records)
            if isinstance(record, TaskRecord) and record.queue
        }
        until = self._clock() + AT_A_TIME
        others = {n: record for n, record in enumerate(delivery.records) if n not in tasks}
        results = self._dispatched(others, delivery)
        refused: dict[int, Record] = {}
        for position, record in tasks.items():
            became = self._work(record, delivery, until)
            if isinstance(became, Result):
                results[position] = became
            else:
                refused[position] = became
        results |= self._dispatched(refused, delivery)
        return Report([results[position] for position in range(len(delivery.records))])

    def _dispatched(self, records: Mapping[int, Record], delivery: Delivery) -> dict[int, Result]:
        """Dispatch some records of a delivery. Records and results are keyed by position in the delivery."""
        report = self._dispatcher.run(replace(delivery, records=list(records.values()), prefetch=None))
        return dict(zip(records, report.results, strict=True))

    def _work(self, record: TaskRecord, delivery: Delivery, until: float) -> Result | Refused:
        """Return the result of a task, or the dead-letter record of a task that cannot succeed. Raises Halt."""
        try:
            task = record.task
            if isinstance(task, ReindexTask):
                return self._reindex(task, check_reindex(task, self._service.router), delivery)
            routes = check_task(task, self._service.router, self._prefix)
        except (DecodeError, Reject) as error:
            return _refused(record, str(error))
        return self._backfill(record, task, routes, delivery, until)

    def _backfill(
        self,
        record: TaskRecord,
        task: BackfillTask,
        routes: Sequence[BoundRoute],
        delivery: Delivery,
        until: float,
    ) -> Result | Refused:
        """Read at least one page of a backfill task, and return its result. Raises Halt."""
        if delivery.deadline.left() < ENOUGH:
            return Result(Outcome.RETRY, "not enough time left to read a page")
        try:
            check_copy(task, self._service.context)
            self._read(task, record.queue, routes, delivery, until)
        except (_Unfinished, Unreachable) as error:
            return error.result if isinstance(error, _Unfinished) else Result(Outcome.RETRY, str(error))
        except Exception as error:
            missing = isinstance(error, MissingTable) and any(bound.scoped for bound in routes)
            if missing or (task.file and isinstance(error, SettingsError)):
                # A table pattern can match missing tables, and a file may be deleted. Neither stops other tasks.
                return _refused(record, str(error))
            result = result_of(error, f"a backfill task of table {task.table}")
            return _refused(record, result.reason) if result.outcome is Outcome.REJECTED else result
        return READ

    def _reindex(self, task: ReindexTask, bound: BoundRoute, delivery: Delivery) -> Result:
        """Make the documents of a reindex task again. The task is redelivered until all are finished."""
        assert isinstance(bound.route, TableRoute)
        table = self._service.router.names.actual("table", bound.route.table)
        records = [requested(table, key, task.created, task.sequence) for key in task.keys]
        report = self._service.loader_of([bound]).run(
            replace(delivery, records=records, source=f"reindex of {bound.name}", redelivers=True, prefetch=None)
        )
        return report.results[report.undone[0]] if report.undone else MADE

    def _read(
        self, task: BackfillTask, queue: str, routes: Sequence[BoundRoute], delivery: Delivery, until: float
    ) -> None:
        """Read pages of a task, and send the rest of it to its queue.

        Raises _Unfinished if a record of the first page is unfinished, and what a read or a dispatch raises.
        """
        service, bound = self._target_of(task, routes)
        part, dispatcher = part_of(task, service), service.loader_of(bound, reread=bool(task.file))
        source, begun = f"backfill of table {task.table}", task.after
        while task.after != ENDED:
            page = part.read(task.after)
            report = dispatcher.run(
                replace(delivery, records=page.records, source=source, redelivers=True, prefetch=None)
            )
            if report.undone and task.after == begun:
                raise _Unfinished(report.results[report.undone[0]])
            if report.undone:
                break
            task = replace(task, after=page.after)
            if task.units or self._clock() >= until or delivery.deadline.left() < ENOUGH:
                break
        if task.after != ENDED:
            self._send_rest(task, queue, page.units)

    def _target_of(self, task: BackfillTask, routes: Sequence[BoundRoute]) -> tuple[Service, Sequence[BoundRoute]]:
        """Return the service that writes to the index of a task, and its routes."""
        if not task.into:
            return self._service, routes
        if task.into not in self._inside:
            self._inside[task.into] = self._service.into(task.index, task.into, self._service.letters)
        inside, names = self._inside[task.into], {bound.name for bound in routes}
        return inside, [one for one in inside.router.bound if one.name in names and one.index == task.into]

    def _send_rest(self, task: BackfillTask, queue: str, units: float) -> None:
        """Send the rest of a task, delayed to keep its rate limit. `units` is the capacity of the last page."""
        delay = round(min(units / task.units, LONGEST_DELAY)) if task.units else 0
        sqs = self._service.context.sqs
        options: dict[str, Any] = {"DelaySeconds": delay} if delay else {}
        sqs.send_message(QueueUrl=url_of(sqs, queue), MessageBody=json.dumps(task.payload), **options)


class _Unfinished(Exception):
    """A record of the first page is unfinished, so the whole task is redelivered."""

    def __init__(self, result: Result):
        super().__init__(result.summary)
        self.result = result


def _refused(record: TaskRecord, reason: str) -> Refused:
    return Refused(record.raw, f"not accepted: {reason}", record.source, record.identifier)


def part_of(task: BackfillTask, service: Service) -> Part:
    """Return the partition of a checked task. Raises Halt, Unreachable, and SettingsError if a file is missing."""
    if task.file:
        export = Export(task.export, task.time)
        return export_file(service.context, task.file, export, service.router.key_of)
    table = describe(service.context, task.table)
    return Segment(TableScan(service.context, table, task.segments, ReadPace(0.0)), task.segment)
