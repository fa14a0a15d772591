"""Loads all items of tables into their indices, while their streams are live."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock

from ..context import Context
from ..dispatch import Batch, Report
from ..errors import SettingsError
from ..records.versions import MARGIN
from ..routing import BoundRoute
from ..settings import setting
from ..sources.checkpoints import LATEST, Checkpoints, make_checkpoints
from ..sources.scan import ScanSource, Table, describe
from ..sources.scan.pace import ReadPace
from .tables import Service, Which, chosen
from .work import work_off

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scan:
    """How tables are read."""

    segments: int = setting(
        4, "parts of a table that are read at the same time", env="STREAMDEX_SEGMENTS", least=1, most=1000
    )
    read_units: float = setting(
        0.0,
        "read capacity units a second at the most; 0 for as many as the table gives",
        env="STREAMDEX_READ_UNITS",
    )


@dataclass(frozen=True)
class Manner:
    """How a backfill goes about it."""

    restart: bool = setting(False, "begin anew where an earlier one was interrupted", env="STREAMDEX_RESTART")
    without_stream: bool = setting(
        False, "also a table without a stream: nothing may change it meanwhile", env="STREAMDEX_WITHOUT_STREAM"
    )


@dataclass
class Backfilled:
    """What became of the items: how many ended how."""

    counts: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def add(self, report: Report) -> None:
        with self._lock:
            self.counts.update(report.counts())


def backfill(
    service: Service,
    which: Which,
    scan: Scan,
    manner: Manner,
    advance: Callable[[int], None],
) -> Backfilled:
    """Loads the items of the tables that are meant; `advance` is told how many more are done.

    Interrupted, it goes on where it stood the next time. Raises SettingsError, Halt and Unreachable.
    """
    found = Backfilled()
    load_tables(service, chosen(service, which), scan, manner, job_of, found, advance)
    return found


def load_tables(
    service: Service,
    tables: Mapping[str, Sequence[BoundRoute]],
    scan: Scan,
    manner: Manner,
    job_of: Callable[[Sequence[BoundRoute]], str],
    found: Backfilled,
    advance: Callable[[int], None],
) -> None:
    """Loads the items of tables for some routes; `job_of` names the work of some, `found` is told of it."""

    def told(report: Report) -> None:
        found.add(report)
        advance(sum(1 for result in report.results if result.outcome.done))

    checkpoints = make_checkpoints(service.context, f"{service.settings.group}|backfill")
    try:
        for name, routes in tables.items():
            table, stopping = describe(service.context, name), Event()
            wait_for_margin(service.context, table, manner.without_stream, stopping)
            source = ScanSource(
                service.context,
                table,
                scan.segments,
                checkpoints,
                job_of(routes),
                stopping,
                ReadPace(scan.read_units, sleep=stopping.wait),
            )
            load(service, source, routes, manner, stopping, told)
    finally:
        checkpoints.close()


def load(
    service: Service,
    source: ScanSource,
    routes: Sequence[BoundRoute],
    manner: Manner,
    stopping: Event,
    told: Callable[[Report], None],
) -> None:
    """Works a scan off, from where an earlier one stood."""
    if source.resumed and manner.restart:
        source.restart()
    elif source.resumed:
        logger.info("goes on where it was interrupted (--restart begins anew)", extra={"source": source.name})
    dispatcher = service.loader_of(routes)

    def work(batch: Batch) -> Report:
        with service.context.guarded(batch.check):
            report = dispatcher.dispatch(batch.records, batch.source)
        told(report)
        return report

    work_off(source, work, stopping)
    if source.complete:
        source.forget()


def job_of(routes: Sequence[BoundRoute]) -> str:
    """What names the work of loading for some routes."""
    return "backfill " + ",".join(sorted(bound.name for bound in routes))


def wait_for_margin(context: Context, table: Table, without_stream: bool, stopping: Event) -> None:
    """Makes sure that whatever changes while the table is read comes through its stream, too.

    An item is dated MARGIN back. A change of that time that no record tells of, as the stream was not there yet,
    could lose against an older one. Raises SettingsError where the stream is not, or will not be, read.
    """
    if table.unstreamed is None:
        if without_stream:
            return
        raise SettingsError(
            f"the table {table.name} has no stream: changes made meanwhile would be missed; enable one, or say"
            " --without-stream if nothing changes it"
        )
    missing = table.unstreamed + MARGIN - table.now
    if missing > 0:
        logger.info("waits: the stream was enabled a moment ago", extra={"table": table.name, "seconds": missing})
        stopping.wait(missing)
    settings = context.settings
    if settings.start_at == LATEST and not is_read(context, table):
        raise SettingsError(
            f"nothing has read the stream of table {table.name} yet, and START_AT is LATEST: changes made"
            " meanwhile would be missed; start the service first"
        )


def is_read(context: Context, table: Table) -> bool:
    """Whether the group has positions in the table's stream."""
    positions: Checkpoints = make_checkpoints(context, context.settings.group, competes=False)
    try:
        return bool(positions.read(table.stream))
    finally:
        positions.close()
