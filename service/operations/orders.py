"""A backfill by many: its parts wait in a queue, and whoever reads that works one off, a page at a time.

What is left of a part goes back to the queue as an order of its own, before the one in hand is deleted. A part
whose worker was killed comes again from the page that it was at. A message that is delivered twice has a part
worked off twice, which versions make safe.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ..context import Context
from ..dispatch import Dispatcher, Outcome, Report, Result
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

WORKED_OFF: Final = Result(Outcome.APPLIED, "a page of a backfill's part")


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
    """Dispatches what came from a queue: orders are worked off, a page of each, and all else goes on."""

    def __init__(self, service: Service, dispatcher: Dispatcher):
        self._service = service
        self._dispatcher = dispatcher
        self._inside: dict[str, Service] = {}

    def dispatch(
        self,
        batch: Sequence[Record],
        source: str = "",
        context: Context | None = None,
        *,
        within: float = math.inf,
        comes_again: bool = True,
    ) -> Report:
        """As Dispatcher.dispatch."""
        results: dict[int, Result] = {}
        rest: list[tuple[int, Record]] = []
        for position, record in enumerate(batch):
            if isinstance(record, OrderRecord):
                became = self._worked_off(record, context or self._service.context, within)
                if isinstance(became, Result):
                    results[position] = became
                else:
                    rest.append((position, became))
            else:
                rest.append((position, record))
        told = self._dispatcher.dispatch(
            [record for _, record in rest], source, context, within=within, comes_again=comes_again
        )
        results |= {position: result for (position, _), result in zip(rest, told.results, strict=True)}
        return Report([results[position] for position in range(len(batch))])

    def _worked_off(self, record: OrderRecord, context: Context, within: float) -> Result | Undecodable:
        """How a page of it ended; what cannot be worked off by anybody as a record that is kept. Raises Halt."""
        try:
            order = record.order
            routes = self._routes(order)
        except (DecodeError, Reject) as error:
            return Undecodable(record.raw, str(error), record.source, record.identifier)
        if context.remaining_time() < ENOUGH:
            return Result(Outcome.RETRY, "no time is left for a page")
        try:
            self._work(order, routes, context, within)
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

    def _work(self, order: Order, routes: Sequence[BoundRoute], context: Context, within: float) -> None:
        service, bound = self._service, routes
        if order.into:
            service = self._inside.get(order.into) or self._service.into(
                order.index, order.into, self._service.letters
            )
            self._inside[order.into] = service
            names = {one.name for one in routes}
            bound = [one for one in service.router.bound if one.name in names and one.index == order.into]
        page = part_of(order, service).read(order.after)
        if page.records:
            dispatcher = service.loader_of(bound, hints=bool(order.file))
            report = dispatcher.dispatch(page.records, f"part of table {order.table}", context, within=within)
            if report.undone:
                raise _Undone(report.results[report.undone[0]])
        if page.after != ENDED:
            self._send(replace(order, after=page.after), page.units)

    def _send(self, order: Order, units: float) -> None:
        """Has the rest of a part worked off, once what the page cost is paid for."""
        delay = min(round(units / order.units), LONGEST_DELAY) if order.units else 0
        sqs = self._service.context.sqs
        options: dict[str, Any] = {"DelaySeconds": delay} if delay else {}
        sqs.send_message(QueueUrl=url_of(sqs, order.queue), MessageBody=json.dumps(order.payload), **options)


class _Undone(Exception):
    """Some of a page has to come again: all of it does."""

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
