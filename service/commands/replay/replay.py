"""Dispatch the records of recordings to the routes, as if they came from their sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeAlias

from ...context import Context
from ...errors import Unreachable
from ...model import Change, Record, TableRecord, Undecodable
from ...model.versions import MARGIN, stream_version
from ...pipeline import Delivery, Dispatcher, Report
from ...routing import Router
from ...settings import setting
from ...sources.files.recording import Recording
from ...sources.scan import describe
from ..command import counted
from .pace import ReplayRate

Dates: TypeAlias = Callable[[Sequence[Record]], None]
"""A function that sets the versions of records before they are dispatched."""

Takes: TypeAlias = Callable[[Change], bool]
"""A function that returns True if a record is selected."""


@dataclass(frozen=True)
class ReplayOptions:
    """The options of `replay`."""

    route: str = setting("", "run only this route (module:Class)")
    current: bool = setting(
        False,
        "re-read each item and write its current state instead of the recorded one",
    )
    dry_run: bool = setting(False, "show the writes, and write nothing")
    diff: bool = setting(
        False,
        "show the changes to the index, field by field, and write nothing",
    )
    speed: str = setting("max", "max, or a multiple of the recorded speed: 1x, 10x")


@dataclass
class DatedNow:
    """A function that raises the versions of table records to the version that a backfill would use now.

    A re-read item is written at the version of its record. If that version is old, the stored document, or the
    version that the index remembers of a deleted document, would win over the current item.
    """

    context: Context
    router: Router
    _versions: dict[str, int] = field(default_factory=dict)

    def __call__(self, records: Sequence[Record]) -> None:
        """Set the versions. Raises Halt if a table is missing, and Unreachable."""
        for record in records:
            if isinstance(record, TableRecord) and self.router.key_of(record.table):
                record.version = max(record.version, self._version(record.table))

    def _version(self, table: str) -> int:
        """Return the version of the server time at the first record of the table, less MARGIN.

        Every item of the table is read after that time.
        """
        if table not in self._versions:
            self._versions[table] = stream_version(describe(self.context, table).now - MARGIN, None)
        return self._versions[table]


@dataclass
class Replayed:
    """The result of a replay: the number of records by outcome, and those without a route by reason.

    `filtered` is the number of records that the filter left out. `unreadable` of them could not be decoded, so
    they may match the filter; `unread` is the reason of the first. With `one_route`, records of other routes count
    as filtered out.
    """

    one_route: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    unrouted: Counter[str] = field(default_factory=Counter)
    filtered: int = 0
    unreadable: int = 0
    unread: str = ""

    @property
    def records(self) -> int:
        """Return the number of dispatched records."""
        return self.counts.total()

    def add(self, report: Report) -> None:
        results = report.results
        if self.one_route:
            results = [result for result in results if not result.unrouted]
            self.filtered += len(report.results) - len(results)
        self.counts.update(Report(results).counts())
        self.unrouted.update(result.reason for result in results if result.unrouted)

    @property
    def all_stale(self) -> bool:
        """True if the index had a newer version for every record that a route wrote."""
        return set(self.counts) <= {"stale", "skipped"} and bool(self.counts["stale"])

    @property
    def complete(self) -> bool:
        """True if every record had a route, none was rejected, and all could be decoded."""
        return not self.unrouted and not self.counts["rejected"] and not self.unreadable


def replay(
    recordings: Iterable[Recording],
    dispatcher: Dispatcher,
    *,
    takes: Takes | None = None,
    one_route: bool = False,
    pace: ReplayRate | None = None,
    dates: Dates = lambda records: None,
) -> Replayed:
    """Dispatch the records of each recording once and in order: all, or those that `takes` selects.

    `pace` delays records, `dates` changes their versions. A second replay is safe: versions keep newer documents.
    Raises Halt, and Unreachable if records that may succeed later still fail after the setting `retry_time`.
    """
    replayed = Replayed(one_route)
    for batch in _batches(recordings, replayed, takes, pace or ReplayRate(), dates):
        batch.settle(dispatcher.run(batch.delivery))
    return replayed


@dataclass(frozen=True)
class _ReplayBatch:
    """Records of a recording that are due at the same time."""

    delivery: Delivery
    replayed: Replayed

    def settle(self, report: Report) -> None:
        """Count the finished records. Raises Unreachable if one of them may succeed later."""
        self.replayed.add(Report([result for result in report.results if result.outcome.done]))
        if report.undone:
            reason = report.results[report.undone[0]].reason
            raise Unreachable(
                f"{counted(len(report.undone))} could not be written ({reason});"
                f" {self.replayed.records:,} finished: run the replay again later"
            )


def _batches(
    recordings: Iterable[Recording], replayed: Replayed, takes: Takes | None, pace: ReplayRate, dates: Dates
) -> Iterator[_ReplayBatch]:
    """Yield the selected records when they are due."""
    for batch in chain.from_iterable(recordings):
        records = batch.delivery.records
        for part in pace.parts(records if takes is None else chosen(records, takes, replayed)):
            dates(part)
            yield _ReplayBatch(replace(batch.delivery, records=part), replayed)


def chosen(records: Iterable[Record], takes: Takes, replayed: Replayed) -> list[Record]:
    """Return the selected records, and count the others in `replayed`."""
    found: list[Record] = []
    for record in records:
        if not isinstance(record, Undecodable) and takes(record):
            found.append(record)
            continue
        replayed.filtered += 1
        if isinstance(record, Undecodable):
            replayed.unreadable += 1
            replayed.unread = replayed.unread or record.reason
    return found
