"""Runs recordings through the routes, as if their records came from their sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeAlias

from ...context import Context
from ...errors import Unreachable
from ...model import Change, Record, TableRecord, Undecodable
from ...model.versions import MARGIN, stream_version
from ...pipeline import Dispatcher, Report
from ...routing import Router
from ...settings import setting
from ...sources.files.recording import Recording
from ...sources.scan import describe
from .pace import Pace

Dates: TypeAlias = Callable[[Sequence[Record]], None]
"""Changes the versions of records before they are dispatched."""

Takes: TypeAlias = Callable[[Change], bool]
"""Whether a record is meant."""


@dataclass(frozen=True)
class Mode:
    """What a replay does with the records."""

    route: str = setting("", "only this route runs (module:Class)", env="STREAMDEX_REPLAY_ROUTE")
    current: bool = setting(
        False,
        "each record is only a hint: what is there now is read, and that is written",
        env="STREAMDEX_REPLAY_CURRENT",
    )
    dry_run: bool = setting(False, "show what would be written, and write nothing", env="STREAMDEX_REPLAY_DRY_RUN")
    diff: bool = setting(
        False,
        "show what would change in the index, field by field, and write nothing",
        env="STREAMDEX_REPLAY_DIFF",
    )
    speed: str = setting(
        "max", "max, or how many times faster than recorded: 1x, 10x", env="STREAMDEX_REPLAY_SPEED"
    )


class DatedNow:
    """Gives table records the version of a backfill that reads their items now, unless they are newer themselves.

    A re-read item is written at the version of its record. If that is old, whatever the index has, or remembers of
    a deleted document, would win over the current item.
    """

    def __init__(self, context: Context, router: Router):
        self._context = context
        self._router = router
        self._versions: dict[str, int] = {}

    def __call__(self, records: Sequence[Record]) -> None:
        """Raises Halt for a table that is missing, and Unreachable."""
        for record in records:
            if isinstance(record, TableRecord) and self._router.key_of(record.table):
                record.version = max(record.version, self._version(record.table))

    def _version(self, table: str) -> int:
        """The time of the server when the table was first met, less MARGIN: every item is read later."""
        if table not in self._versions:
            self._versions[table] = stream_version(describe(self._context, table).now - MARGIN, None)
        return self._versions[table]


@dataclass
class Replayed:
    """What became of recordings: how many records had each outcome, and which had no route.

    Of what was `filtered` out, so many could not be read: nobody knows whether they were meant. `unread` says why,
    of the first. With `one_route` the records of others count as filtered out.
    """

    one_route: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    unrouted: Counter[str] = field(default_factory=Counter)
    filtered: int = 0
    unreadable: int = 0
    unread: str = ""

    @property
    def records(self) -> int:
        """How many were dispatched."""
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
        """True if the index had something newer of every record that a route made something of."""
        return set(self.counts) <= {"stale", "skipped"} and bool(self.counts["stale"])

    @property
    def complete(self) -> bool:
        """Whether every record was taken by a route and none was rejected."""
        return not self.unrouted and not self.counts["rejected"] and not self.unreadable


def replay(
    recordings: Iterable[Recording],
    dispatcher: Dispatcher,
    *,
    takes: Takes | None = None,
    one_route: bool = False,
    pace: Pace | None = None,
    dates: Dates = lambda records: None,
) -> Replayed:
    """Dispatches records of each recording, all or those that are taken, in order and once.

    Replaying again is safe: versions keep whatever is newer. Raises Unreachable when what may succeed later still
    failed after the setting `retry_time`, and Halt.
    """
    pace = pace or Pace()
    replayed = Replayed(one_route)
    for batch in chain.from_iterable(recordings):
        for part in pace.parts(batch.records if takes is None else chosen(batch.records, takes, replayed)):
            dates(part)
            report = dispatcher.dispatch(part, batch.source)
            replayed.add(Report([result for result in report.results if result.outcome.done]))
            if report.undone:
                reason = report.results[report.undone[0]].reason
                raise Unreachable(
                    f"{len(report.undone)} records could not be written ({reason});"
                    f" {replayed.records} are done: replay again later"
                )
    return replayed


def chosen(records: Iterable[Record], takes: Takes, replayed: Replayed) -> list[Record]:
    """Those that are meant; the others are counted."""
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
