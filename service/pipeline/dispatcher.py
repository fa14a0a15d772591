"""The dispatcher: the steps from the records of a delivery to one outcome for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..context import Context
from ..deadline import until
from ..errors import Halt
from ..model import TableRecord
from ..model.actions import TableAction
from ..model.outcomes import APPLIED, NOT_SENT, PATIENCE, UNSETTLED, Outcome, Report, Result, worst
from ..retry_policy import RetryPolicy
from ..routing import InsertRows, Router
from .batch_parts import parts_of
from .composite import OverflowQueue, Reindexing, one_per_document, settle_made, settle_others
from .delivery import Delivery, Task, Write
from .matching import drop_future_times, match
from .newest_writes import write_newest
from .observers import Dispatched, Observer
from .prefetch import Prefetch, Prefetched
from .protocols import DeadLetter, DeadLetterStore, Sinks
from .rereads import ROUNDS, Rereads
from .route_calls import SEARCHES, call_routes
from .stuck_records import StuckRecords, conclude, dead_letter_undelivered, note_failures


class Dispatcher:
    """Pass records to their routes and the resulting actions to the sinks.

    The only state between deliveries is how often old records have failed.
    """

    def __init__(
        self,
        router: Router,
        *,
        sinks: Sinks,
        letters: DeadLetterStore,
        observer: Observer,
        context: Context,
        rereads: Rereads,
        retry_policy: RetryPolicy | None = None,
        overflow: OverflowQueue | None = None,
    ):
        self._router = router
        self._sinks = sinks
        self._letters = letters
        self._observer = observer
        self._context = context
        self._rereads = rereads
        self._stuck = StuckRecords(rereads.age, context.settings.retry_for)
        settings = context.settings
        self._splits = any(bound.splits for bound in router.bound)
        self._composite = any(bound.composite for bound in (*router.bound, *router.targets))
        self._reindexing: Reindexing | None = None
        if any(bound.reindexes for bound in router.bound):
            endless = not settings.lambda_function
            self._reindexing = Reindexing(router, settings.reindex_inline, observer, overflow, endless)
        self._clock_skew = context.settings.clock_skew
        self._retry_policy = retry_policy or RetryPolicy(context.settings.retry_time)

    def run(self, delivery: Delivery) -> Report:
        """Process a delivery. The report has one result per record, in the order of the delivery.

        1. Match the records to routes: one task for each record and route.
        2. Read the current state of tasks whose version does not prove which state is newer.
        3. Call the routes. They return actions, which become writes.
        4. Keep the newest write to each document.
        5. Write.
        6. Read again what versions cannot settle, and repeat from 3 if it has changed.
        7. Repeat from 2 what may succeed later, while there is time. The source redelivers the rest.
        8. Store what cannot succeed as dead letters. If the source does not redeliver, so is the rest.
        9. Report.

        Raises Halt if every record would fail. Then no record may be acknowledged.
        """
        if not delivery.records:
            return Report([])
        with self._observer.step("batch", delivery.source, delivery.records):
            began = self._retry_policy.clock()
            drop_future_times(delivery.records, delivery.source, self._rereads.now() + self._clock_skew)
            tasks = match(delivery.records, self._router)
            try:
                with until(delivery.deadline.with_reserve()):
                    failed = self._try([task for task in tasks if not task.results], delivery, delivery.prefetch)
                    if failed:
                        self._retry(failed, tasks, delivery, began)
            except Halt as halt:
                if not delivery.redelivers:
                    for task in tasks:
                        task.results = task.results or [Result(Outcome.RETRY, str(halt))]
                    self._finish(tasks, delivery, began)
                raise
            return self._finish(tasks, delivery, began)

    def _retry(self, failed: Sequence[Task], tasks: Sequence[Task], delivery: Delivery, began: float) -> None:
        """Step 7: repeat steps 2 to 6 for the failed tasks while there is time. Reject those that are stuck.

        Raises Halt.
        """
        elapsed, tries = self._retry_policy.clock() - began, 1
        remaining = min(delivery.retry_time - elapsed, delivery.deadline.left())
        for pause in self._retry_policy.pauses(remaining, elapsed):
            self._observer.retrying(failed, pause)
            self._retry_policy.sleep(pause)
            for task in failed:
                task.reset()
            failed, tries = self._try(failed, delivery), tries + 1
            if not failed:
                break
        else:
            self._stuck.give_up(failed, tasks, self._sinks.documents, delivery.fence)
            conclude(tasks, tries)

    def _try(
        self, tasks: Sequence[Task], delivery: Delivery, prefetch: Prefetch | None = None, follow: bool = True
    ) -> list[Task]:
        """Steps 2 to 6: re-read, call the routes and write. Return the tasks that failed. Raises Halt.

        The steps are repeated for tasks that are not settled. A large batch is divided into parts. With `follow`,
        the documents that routes named in Reindex are made again in the same way.
        """
        context = self._context.during(delivery.invocation)
        groups = one_per_document(tasks) if self._composite else {}
        unsettled: Sequence[Task] = list(groups) or tasks
        for _ in range(ROUNDS):
            self._rereads.reread_before_write(unsettled)
            if self._splits:
                self._rereads.name_sub_documents(unsettled)
            if len(unsettled) <= context.settings.bulk_actions // 2:
                call_routes(unsettled, context, self._observer.step)
                self._write(unsettled, delivery, prefetch)
            else:
                self._call_and_write_parts(unsettled, context, delivery, prefetch)
            prefetch = None
            unsettled = self._rereads.reopen(unsettled)
            if not unsettled:
                break
        for task in unsettled:
            # A shard still delivers the newer change. A queue may have delivered it already.
            done = task.overtaken and isinstance(task.record, TableRecord) and task.record.ordered
            task.results = [APPLIED if done else UNSETTLED]
        if groups:
            settle_others(groups)
        if self._reindexing and follow:
            self._reindexing.follow(tasks, context, lambda wanted: self._try(wanted, delivery, follow=False))
        failed = [task for task in tasks if not task.result.outcome.done]
        if failed:
            note_failures(failed)
        return failed

    def _call_and_write_parts(
        self, tasks: Sequence[Task], context: Context, delivery: Delivery, prefetch: Prefetch | None
    ) -> None:
        """Steps 3 to 5. The routes process one part while the search server writes the previous one."""
        parts = parts_of(tasks, context.settings.bulk_actions)

        def called() -> Iterator[tuple[Sequence[Task], bool]]:
            for number, part in enumerate(parts, start=1):
                call_routes(part, context, self._observer.step)
                yield part, number < len(parts)

        made = Prefetched(called())
        silent = 0
        for part, more in made:
            if silent == PATIENCE:  # each further request could take its full timeout
                for task in part:
                    task.writes, task.results = (), task.results or [NOT_SENT]
                continue
            sent = [
                task for task in self._write(part, delivery, made.prepare if more else prefetch) if task.writes
            ]
            if sent:
                silent = 0 if any(task.result.outcome.done for task in sent) else silent + 1

    def _write(self, tasks: Sequence[Task], delivery: Delivery, prefetch: Prefetch | None) -> Sequence[Task]:
        """Steps 4 and 5: pass the writes to their sinks, and set the results of the tasks.

        Return the tasks without those whose document was made again and is the same.
        """
        if self._composite:
            tasks = settle_made(tasks)
        documents, items, rows = by_sink(tasks)
        results: dict[Write, Result] = {}
        if items:
            results.update(zip(items, self._sinks.items.write(items, delivery.fence), strict=True))
        if rows:
            results.update(zip(rows, self._sinks.rows.write(rows, delivery.fence), strict=True))
        if documents:
            found = write_newest(documents, self._sinks.documents, delivery.fence, prefetch)
            results.update(zip(documents, found, strict=True))
        for task in tasks:
            if task.writes:
                task.results = [results[write] for write in task.writes]
        return tasks

    def _finish(self, tasks: Sequence[Task], delivery: Delivery, began: float) -> Report:
        """Steps 8 and 9: store dead letters, report to the observer, and return the report. Raises Halt."""
        if not delivery.redelivers:
            dead_letter_undelivered(tasks)
        letters = [
            DeadLetter(task.record, task.route, task.result)
            for task in tasks
            if task.result.outcome is Outcome.REJECTED
        ]
        if self._reindexing:
            letters += [DeadLetter(one.record, one.route, one.result) for task in tasks for one in task.rejected]
        if letters:
            with until(delivery.deadline.with_reserve()):
                delivery.fence()
                self._letters.store(letters)
        if self._stuck.failures:
            self._stuck.forget(tasks)
        report = Report(results_of(tasks, len(delivery.records)))
        seconds = self._retry_policy.clock() - began
        self._observer.dispatched(Dispatched(delivery.source, report, tasks, letters, seconds))
        return report


def by_sink(tasks: Sequence[Task]) -> tuple[list[Write], list[Write], list[Write]]:
    """Return the writes to the search server, to DynamoDB tables and to the SQL database.

    Raises TypeError for an action that no sink writes.
    """
    documents: list[Write] = []
    items: list[Write] = []
    rows: list[Write] = []
    for task in tasks:
        for write in task.writes:
            if isinstance(write.action, SEARCHES):
                documents.append(write)
            elif isinstance(write.action, TableAction):
                items.append(write)
            elif isinstance(write.action, InsertRows):
                rows.append(write)
            else:
                raise TypeError(f"no sink supports the action {type(write.action).__name__}")
    return documents, items, rows


def results_of(tasks: Sequence[Task], size: int) -> list[Result]:
    """Return the worst result of each of `size` records."""
    by_record: list[list[Result]] = [[] for _ in range(size)]
    for task in tasks:
        by_record[task.position] += task.results
    return [worst(results) for results in by_record]
