"""Process a batch of records and return one outcome for each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count

from ..context import Context
from ..errors import Halt
from ..model import Record, TableRecord
from ..model.outcomes import APPLIED, NOT_SENT, PATIENCE, UNSETTLED, Outcome, Report, Result, worst
from ..routing import InsertRows, Router
from .batch_parts import parts_of
from .clock_skew import drop_future_times
from .newest_writes import write_newest
from .observers import Dispatched, Observer
from .prefetch import Prefetch, Prefetched
from .protocols import DeadLetter, DeadLetterStore, Sinks, Write
from .rereads import ROUNDS, Rereads
from .retry_policy import RetryPolicy
from .route_calls import SEARCHES, Task, ask, route
from .stuck_records import StuckRecords, conclude, dead_letter_undelivered, note_failures


class Dispatcher:
    """Pass records to their routes and the resulting actions to the sinks.

    The only state between batches is how often old records have failed.
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
        patience: RetryPolicy | None = None,
    ):
        self._router = router
        self._sinks = sinks
        self._letters = letters
        self._observer = observer
        self._context = context
        self._rereads = rereads
        self._stuck = StuckRecords(rereads.age, context.settings.retry_for)
        self._clock_skew = context.settings.clock_skew
        self._patience = patience or RetryPolicy(context.settings.retry_time)

    def dispatch(
        self,
        batch: Sequence[Record],
        source: str = "",
        context: Context | None = None,
        *,
        within: float = math.inf,
        redelivers: bool = True,
        prefetch: Prefetch | None = None,
    ) -> Report:
        """Process a batch. The report has one result per record, in the order of the batch.

        - A failure that may succeed later is retried within the limits of the setting `retry_time`, the context
          and `within` (seconds). After that the source redelivers the record.
        - If the source does not redeliver (`redelivers` is False), the record becomes a dead letter instead.
        - `prefetch` is work that may overlap with a request to the search server. It is called at most once.

        Raises Halt if every record would fail. Then no record may be acknowledged.
        """
        if not batch:
            return Report([])
        with self._observer.step("batch", source, batch):
            return self._carry_out(batch, source, context or self._context, within, redelivers, prefetch)

    def _carry_out(
        self,
        batch: Sequence[Record],
        source: str,
        context: Context,
        within: float,
        redelivers: bool,
        prefetch: Prefetch | None,
    ) -> Report:
        began = self._patience.clock()
        pauses = self._patience.pauses(min(within, context.remaining_time()))
        drop_future_times(batch, source, self._rereads.now() + self._clock_skew)
        tasks = route(batch, self._router)
        try:
            with context.timed():
                self._work_off(tasks, pauses, context, prefetch)
        except Halt as halt:
            if not redelivers:  # the source redelivers nothing: store dead letters now
                for task in tasks:
                    task.results = task.results or [Result(Outcome.RETRY, str(halt))]
                self._end(len(batch), source, tasks, context, began, redelivers)
            raise
        return self._end(len(batch), source, tasks, context, began, redelivers)

    def _end(
        self, size: int, source: str, tasks: Sequence[Task], context: Context, began: float, redelivers: bool
    ) -> Report:
        """Store dead letters, report the batch to the observer and return its report. Raises Halt."""
        if not redelivers:
            dead_letter_undelivered(tasks)
        with context.timed():
            letters = self._store_rejected(tasks)
        report = Report(_results(size, tasks))
        seconds = self._patience.clock() - began
        self._observer.dispatched(Dispatched(source, report, tasks, letters, seconds))
        return report

    def _store_rejected(self, tasks: Sequence[Task]) -> list[DeadLetter]:
        """Store rejected tasks as dead letters, and return these. Raises Halt and LeaseLost."""
        letters = [
            DeadLetter(task.record, task.route, task.result)
            for task in tasks
            if task.result.outcome is Outcome.REJECTED
        ]
        if letters:
            self._context.check()
            self._letters.store(letters)
        return letters

    def _work_off(
        self, tasks: Sequence[Task], pauses: Iterator[float], context: Context, prefetch: Prefetch | None
    ) -> None:
        """Process the tasks, and retry transient failures while there is time."""
        pending = [task for task in tasks if not task.results]
        for tries in count(1):
            self._try(pending, context, prefetch if tries == 1 else None)
            pending = [task for task in pending if not task.result.outcome.done]
            note_failures(pending)
            pause = next(pauses, None) if pending else None
            if pause is None:
                if pending or self._stuck:
                    self._stuck.give_up(tasks, self._sinks.search)
                if pending:
                    conclude(tasks, tries)
                return
            self._observer.retrying(pending, pause)
            self._patience.sleep(pause)
            for task in pending:
                task.forget()

    def _try(self, tasks: Sequence[Task], context: Context, prefetch: Prefetch | None) -> None:
        """Re-read, call the routes and write, and repeat for tasks that the write did not settle."""
        for _ in range(ROUNDS):
            self._rereads.reread_before_write(tasks)
            self._ask_and_write(tasks, context, prefetch)
            prefetch = None
            tasks = self._rereads.reopen(tasks)
            if not tasks:
                return
        for task in tasks:
            # A shard still delivers the newer change. A queue may have delivered it already.
            done = task.overtaken and isinstance(task.record, TableRecord) and task.record.ordered
            task.results = [APPLIED if done else UNSETTLED]

    def _ask_and_write(self, tasks: Sequence[Task], context: Context, prefetch: Prefetch | None) -> None:
        """Call the routes for one part of the tasks while the search server writes the previous part."""
        parts = parts_of(tasks, self._context.settings.bulk_actions)

        def asked() -> Iterator[tuple[Sequence[Task], bool]]:
            for number, part in enumerate(parts, start=1):
                ask(part, context, self._observer.step)
                yield part, number < len(parts)

        made = Prefetched(asked())
        silent = 0
        for part, more in made:
            if silent == PATIENCE:  # each further request could take its full timeout
                for task in part:
                    task.writes, task.results = (), task.results or [NOT_SENT]
                continue
            self._write(part, made.prepare if more else prefetch)
            silent = 0 if any(task.result.outcome.done for task in part) else silent + 1

    def _write(self, tasks: Sequence[Task], prefetch: Prefetch | None) -> None:
        searches, items, rows = sorted_out(chain.from_iterable(task.writes for task in tasks))
        results: dict[Write, Result] = {}
        if items:
            results.update(zip(items, self._sinks.table.write(items), strict=True))
        if rows:
            results.update(zip(rows, self._sinks.rows.write(rows), strict=True))
        if searches:
            results.update(zip(searches, write_newest(searches, self._sinks.search, prefetch), strict=True))
        for task in tasks:
            if task.writes:
                task.results = [results[write] for write in task.writes]


def sorted_out(writes: Iterable[Write]) -> tuple[list[Write], list[Write], list[Write]]:
    """Return the writes to the search server, to DynamoDB tables and to the SQL database."""
    searches: list[Write] = []
    items: list[Write] = []
    rows: list[Write] = []
    for write in writes:
        action = write.action
        there = searches if isinstance(action, SEARCHES) else rows if isinstance(action, InsertRows) else items
        there.append(write)
    return searches, items, rows


def _results(size: int, tasks: Sequence[Task]) -> list[Result]:
    by_record: list[list[Result]] = [[] for _ in range(size)]
    for task in tasks:
        by_record[task.position].append(task.result)
    return [worst(results) for results in by_record]
