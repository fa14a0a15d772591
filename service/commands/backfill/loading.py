"""Load all items of tables, or of their exports, into the indices while the streams are live."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Self

from ...checkpoints.stores import LATEST, Checkpoints, make_checkpoints
from ...context import Context
from ...errors import SettingsError
from ...model.table_record import table_of
from ...model.versions import MARGIN
from ...pipeline import Delivery, Dispatcher, Report
from ...routing import BoundRoute
from ...settings import setting
from ...sources.files.export_partitions import ExportFile, export_files
from ...sources.partitions import Part, PartSource
from ...sources.scan import ReadPace, Table, describe, segments_of
from ..tables import Service, TableFilter, chosen
from ..work import work_off
from .task_checks import SEGMENTS
from .tasks import TaskQueue

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scan:
    """The options of a table scan."""

    segments: int = setting(4, "segments of a table that are scanned in parallel", least=1, most=SEGMENTS)
    read_units: float = setting(
        0.0,
        "maximum read capacity units per second; 0 for no limit",
    )


@dataclass(frozen=True)
class BackfillOptions:
    """The options of `backfill` apart from the scan and the selection of tables."""

    restart: bool = setting(False, "start from the beginning instead of resuming an interrupted backfill")
    without_stream: bool = setting(
        False, "also load a table without a stream; nothing may change the table during the backfill"
    )
    export: str = setting(
        "",
        "load an export of the table instead of scanning it: s3://BUCKET/PREFIX/AWSDynamoDB/ID/, or a folder",
    )
    enqueue: str = setting(
        "",
        "send a task for each segment or file to this task queue, for any number of workers",
    )


@dataclass
class Backfill:
    """The loading of tables: the number of items by outcome, and the number of tasks that were enqueued instead.

    `advance` is called with the number of finished items of each batch.
    """

    service: Service
    scan: Scan
    options: BackfillOptions
    advance: Callable[[int], None]
    counts: Counter[str] = field(default_factory=Counter)
    enqueued: int = 0
    _lock: Lock = field(default_factory=Lock)

    def run(
        self, tables: Mapping[str, Sequence[BoundRoute]], job: str = "", into: tuple[str, str] = ("", "")
    ) -> Self:
        """Load the items of tables for some routes, or enqueue the tasks that load them.

        `job` is the name under which checkpoints are stored, by default that of the routes. `into` is an index and
        the new index that the enqueued tasks fill instead of it. Raises SettingsError, Halt and Unreachable.
        """
        context, scan, export = self.service.context, self.scan, self.options.export
        exported = files_by_table(self.service, tables, export) if export else {}
        queue = TaskQueue(self.service, self.options.enqueue) if self.options.enqueue else None
        for name in exported or tables:
            routes, files = tables[name], exported.get(name, [])
            table, stopping = describe(context, name), Event()
            wait_for_margin(context, table, self.options.without_stream, stopping)
            if queue:
                self.enqueued += queue.send(table, routes, scan, files, into)
                continue
            parts: Sequence[Part] = files or segments_of(
                context, table, scan.segments, ReadPace(scan.read_units, sleep=stopping.wait)
            )
            with closing(make_checkpoints(context, f"{self.service.settings.group}|backfill")) as checkpoints:
                source = PartSource(
                    f"{'export' if files else 'scan'} of table {name}",
                    parts,
                    min(scan.segments, len(parts)),
                    checkpoints,
                    f"{job or job_of(routes)}|{export or f'{name}|{scan.segments}'}",
                    stopping,
                )
                self._load(source, self.service.loader_of(routes, reread=bool(files)), stopping)
        return self

    def _load(self, source: PartSource, dispatcher: Dispatcher, stopping: Event) -> None:
        """Read all partitions, from the checkpoints of an interrupted backfill unless `restart` is set."""
        if source.resumed and self.options.restart:
            source.restart()
        elif source.resumed:
            logger.info(
                "resuming an interrupted backfill (use --restart to start from the beginning)",
                extra={"source": source.name},
            )

        def work(delivery: Delivery) -> Report:
            report = dispatcher.run(delivery)
            with self._lock:
                self.counts.update(report.counts())
            self.advance(sum(1 for result in report.results if result.outcome.done))
            return report

        work_off(source, work, stopping)
        if source.complete:
            source.forget()


def backfill(
    service: Service,
    which: TableFilter,
    scan: Scan,
    options: BackfillOptions,
    advance: Callable[[int], None],
) -> Backfill:
    """Load the items of the selected tables.

    The next run of an interrupted backfill continues from its checkpoints. Raises SettingsError, Halt and
    Unreachable.
    """
    return Backfill(service, scan, options, advance).run(chosen(service, which))


def files_by_table(
    service: Service, tables: Mapping[str, Sequence[BoundRoute]], where: str
) -> dict[str, list[ExportFile]]:
    """Return the files of an export by table. Raises SettingsError if a table is not selected."""
    found: dict[str, list[ExportFile]] = {}
    for file in export_files(service.context, where, service.router.key_of):
        found.setdefault(table_of(file.export.table), []).append(file)
    for table in found:
        if table not in tables:
            raise SettingsError(f"{where} is an export of table {table}, not of {', '.join(tables)}")
    return found


def job_of(routes: Sequence[BoundRoute]) -> str:
    """Return the name of the backfill job of some routes."""
    return "backfill " + ",".join(sorted(bound.name for bound in routes))


def wait_for_margin(context: Context, table: Table, without_stream: bool, stopping: Event) -> None:
    """Wait until every change that a scan may overlap with also has a stream record.

    A scanned item is dated MARGIN seconds back. If it was changed within that time but before the stream was
    enabled, no record brings the change, and the scanned item could lose against an older one. Raises
    SettingsError if the table has no stream (unless `without_stream`), or if its stream would be read from LATEST
    and has no checkpoints yet.
    """
    if table.unstreamed is None:
        if without_stream:
            return
        raise SettingsError(
            f"table {table.name} has no stream, so changes made during the backfill would be missed: enable a"
            " stream, or use --without-stream if nothing changes the table"
        )
    missing = table.unstreamed + MARGIN - table.now
    if missing > 0:
        logger.info(
            "waiting because the stream was enabled recently", extra={"table": table.name, "seconds": missing}
        )
        stopping.wait(missing)
    settings = context.settings
    if settings.start_at == LATEST and not is_read(context, table):
        raise SettingsError(
            f"the stream of table {table.name} has not been read yet, and START_AT is LATEST, so changes made"
            " during the backfill would be missed: start the service first"
        )


def is_read(context: Context, table: Table) -> bool:
    """True if the group has checkpoints for the stream of the table."""
    positions: Checkpoints = make_checkpoints(context, context.settings.group, competes=False)
    try:
        return bool(positions.read(table.stream))
    finally:
        positions.close()
