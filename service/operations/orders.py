"""A backfill by many: its parts wait in a queue, and whoever reads that works some pages of one off.

What is left of a part goes back to the queue as an order of its own, before the one in hand is deleted. A part
whose worker was killed comes again from where it was taken up. A message that is delivered twice has a part
worked off twice, which versions make safe.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ..context import Context
from ..dispatch import Dispatcher, Outcome, Report, Result
from ..dispatch.ahead import Meanwhile
from ..dispatch.failures import reaching, result_of
from ..errors import DecodeError, Reject, SettingsError, Unreachable
from ..records import Record
from ..records.orders import Order, OrderRecord
from ..records.undecodable import Undecodable
from ..routing import BoundRoute
from ..sources.checkpoints import ENDED
from ..sources.export_parts import ExportFile, export_file
from ..sources.exports import Export
from ..sources.parts import Part
from ..sources.queues import url_of
from ..sources.scan import ReadPace, Segment, Table, TableScan, describe
from .tables import Service

if TYPE_CHECKING:
    from .backfill import Scan

AT_ONCE: Final = 10
"""Messages of one request ("SendMessageBatch", SQS API Reference)."""

LONGEST_DELAY: Final = 900
"""Seconds that a message can be put off ("SendMessage", SQS API Reference)."""

ENOUGH: Final = 10.0
"""Seconds that a page takes at the most, about: with less left of a Lambda's time it is not begun."""

AT_A_TIME: Final = 20.0
"""Seconds after which the rest of a part goes back to the queue: others may have time for it."""

WORKED_OFF: Final = Result(Outcome.APPLIED, "pages of a backfill's part")


class Enqueued:
    """Puts the parts of tables on a queue."""

    def __init__(self, service: Service, queue: str):
        """Raises Halt for a queue that is not there, SettingsError for a FIFO queue, and Unreachable."""
        self._context = service.context
        self._queue = service.router.names.existing("queue", queue)
        if queue.endswith(".fifo"):
            raise SettingsError(f"{queue} is a FIFO queue, which gives the parts of one group one after the other")
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
        """How many parts there are: the segments of a table, or the files of its export. Raises Unreachable."""
        index, other = into
        order = Order(table.name, tuple(bound.name for bound in routes), self._queue, index=index, into=other)
        if files:
            orders = [
                replace(order, file=file.name, export=file.export.table, time=file.export.time) for file in files
            ]
        else:
            every = replace(order, segments=scan.segments, units=scan.read_units / scan.segments)
            orders = [replace(every, segment=number) for number in range(scan.segments)]
        for begin in range(0, len(orders), AT_ONCE):
            self._send(orders[begin : begin + AT_ONCE])
        return len(orders)

    def _send(self, orders: Sequence[Order]) -> None:
        entries = [{"Id": str(n), "MessageBody": json.dumps(order.payload)} for n, order in enumerate(orders)]
        with reaching(f"queue {self._queue}"):
            answer = self._context.sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
        if answer.get("Failed"):
            codes = ", ".join(sorted({str(failure.get("Code")) for failure in answer["Failed"]}))
            raise SettingsError(f"queue {self._queue} does not take the parts ({codes}): run it again")


class Orders:
    """Dispatches what came from a queue: orders after all else, of each a page at least."""

    def __init__(self, service: Service, dispatcher: Dispatcher, clock: Callable[[], float] = time.monotonic):
        self._service = service
        self._dispatcher = dispatcher
        self._clock = clock
        self._inside: dict[str, Service] = {}

    def dispatch(
        self,
        batch: Sequence[Record],
        source: str = "",
        context: Context | None = None,
        *,
        within: float = math.inf,
        comes_again: bool = True,
        meanwhile: Meanwhile | None = None,
    ) -> Report:
        """As Dispatcher.dispatch."""
        orders = {n: record for n, record in enumerate(batch) if isinstance(record, OrderRecord)}
        until = self._clock() + AT_A_TIME
        changes = {n: record for n, record in enumerate(batch) if n not in orders}
        results = self._dispatched(changes, source, context, within, comes_again, meanwhile)
        lost: dict[int, Record] = {}
        for position, order in orders.items():
            became = self._worked_off(order, context or self._service.context, within, until)
            if isinstance(became, Result):
                results[position] = became
            else:
                lost[position] = became
        results |= self._dispatched(lost, source, context, within, comes_again)
        return Report([results[position] for position in range(len(batch))])

    def _dispatched(
        self,
        records: Mapping[int, Record],
        source: str,
        context: Context | None,
        within: float,
        comes_again: bool,
        meanwhile: Meanwhile | None = None,
    ) -> dict[int, Result]:
        """How records of a batch end, by their places in it."""
        if not records:
            return {}
        report = self._dispatcher.dispatch(
            list(records.values()), source, context, within=within, comes_again=comes_again
        )
        return dict(zip(records, report.results, strict=True))

    def _worked_off(
        self, record: OrderRecord, context: Context, within: float, until: float
    ) -> Result | Undecodable:
        """How it ended; what cannot be worked off by anybody as a record that is kept. Raises Halt."""
        try:
            order = record.order
            routes = self._routes(order)
        except (DecodeError, Reject) as error:
            return Undecodable(record.raw, str(error), record.source, record.identifier)
        if context.remaining_time() < ENOUGH:
            return Result(Outcome.RETRY, "no time is left for a page")
        try:
            self._work(order, routes, context, within, until)
        except _Undone as undone:
            return undone.result
        except Unreachable as error:
            return Result(Outcome.RETRY, str(error))
        except Exception as error:
            result = result_of(error, f"a part of the backfill of table {order.table}")
            lost = result.outcome is Outcome.REJECTED
            return Undecodable(record.raw, result.reason, record.source, record.identifier) if lost else result
        return WORKED_OFF

    def _routes(self, order: Order) -> Sequence[BoundRoute]:
        """Raises Reject for routes that this service does not have."""
        known = {bound.name: bound for bound in self._service.router.bound}
        missing = [name for name in order.routes if name not in known]
        if missing or not order.routes:
            raise Reject(
                f"a part of a backfill for {', '.join(missing) or 'no route'}, and this service has"
                f" {', '.join(known)}: deploy them, and run the backfill again"
            )
        return [known[name] for name in order.routes]

    def _work(
        self, order: Order, routes: Sequence[BoundRoute], context: Context, within: float, until: float
    ) -> None:
        """Pages of a part, and what is left of it back to its queue. Raises what comes of a page."""
        service, bound = self._target_of(order, routes)
        part, dispatcher = part_of(order, service), service.loader_of(bound, hints=bool(order.file))
        begun = order.after
        while order.after != ENDED:
            page = part.read(order.after)
            report = dispatcher.dispatch(page.records, f"part of table {order.table}", context, within=within)
            if report.undone and order.after == begun:
                raise _Undone(report.results[report.undone[0]])
            if report.undone:
                break
            order = replace(order, after=page.after)
            if order.units or self._clock() >= until or context.remaining_time() < ENOUGH:
                break
        if order.after != ENDED:
            self._send(order, page.units)

    def _target_of(self, order: Order, routes: Sequence[BoundRoute]) -> tuple[Service, Sequence[BoundRoute]]:
        """The service and its routes that fill the index that is meant."""
        if not order.into:
            return self._service, routes
        if order.into not in self._inside:
            self._inside[order.into] = self._service.into(order.index, order.into, self._service.letters)
        inside, names = self._inside[order.into], {bound.name for bound in routes}
        return inside, [one for one in inside.router.bound if one.name in names and one.index == order.into]

    def _send(self, order: Order, units: float) -> None:
        """Has the rest of a part worked off, once what the page cost is paid for."""
        delay = min(round(units / order.units), LONGEST_DELAY) if order.units else 0
        sqs = self._service.context.sqs
        options: dict[str, Any] = {"DelaySeconds": delay} if delay else {}
        sqs.send_message(QueueUrl=url_of(sqs, order.queue), MessageBody=json.dumps(order.payload), **options)


class _Undone(Exception):
    """Some of the first page has to come again: all of it does."""

    def __init__(self, result: Result):
        super().__init__(result.summary)
        self.result = result


def part_of(order: Order, service: Service) -> Part:
    """The part that is meant. Raises Halt, Unreachable, and SettingsError for a file that is gone."""
    if order.file:
        export = Export(order.export, order.time)
        return export_file(service.context, order.file, export, service.router.key_of)
    table = describe(service.context, order.table)
    return Segment(TableScan(service.context, table, order.segments, ReadPace(0.0)), order.segment)
