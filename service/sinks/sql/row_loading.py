"""Load rows into a database in batches, and find the rejected rows with their reasons."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from ...context import Context
from ...deadline import out_of_time
from ...errors import Reject, Retry
from ...model.outcomes import OUT_OF_TIME
from ...pipeline import Observer
from ...pipeline.delivery import Fence
from ...routing import BadRow, InsertRows, Row
from .database_errors import Verdict, verdict_of, words_of
from .statement import Statement

logger = logging.getLogger(__name__)

BATCH_BYTES: Final = 4 * 1024 * 1024
"""Approximate size of a batch of rows, in bytes."""

MOST_LEFT_OUT: Final = 1000
"""Maximum number of rejected rows of one object. More means that the object or a setting is wrong."""

PROGRESS_EVERY: Final = 10.0
"""Seconds between two log lines of progress."""

PLAIN: Final = (tuple, list)
"""The types of most rows, checked first for speed."""

Numbered: TypeAlias = tuple[int, Row]
"""A row with its number in the object; the first is 1."""


@dataclass
class Loading:
    """Load the rows of one action in a transaction of `connection`.

    `only` are the numbers of the rows to load; None loads all of them.
    """

    connection: Any
    context: Context
    observer: Observer
    statement: Statement
    action: InsertRows
    route: str
    fence: Fence
    only: Collection[int] | None = None
    clock: Callable[[], float] = time.monotonic
    added: int = 0
    left_out: dict[int, str] = field(default_factory=dict)

    def run(self) -> None:
        """Add all rows.

        Raises Reject for a rejected row (with `keep_bad`, for too many), Retry if no time is left, and what the
        rows and SQLAlchemy raise.
        """
        reported_at = self.clock()
        for batch, size in self._batches():
            self.fence()
            if out_of_time():
                raise Retry(OUT_OF_TIME.reason)
            with self.observer.request("sql", len(batch), size, status_of):
                self._insert(batch)
            if self.clock() - reported_at > PROGRESS_EVERY:
                reported_at = self.clock()
                logger.info("loading rows", extra={"route": self.route, "rows": self.added})

    def _batches(self) -> Iterator[tuple[list[Numbered], int]]:
        """Yield batches with their approximate size in bytes."""
        batch: list[Numbered] = []
        size, most = 0, min(self.context.settings.db_batch, self.statement.most)
        for number, row in self._good():
            batch.append((number, row))
            size += size_of(row)
            if len(batch) >= most or size >= BATCH_BYTES:
                yield batch, size
                batch, size = [], 0
        if batch:
            yield batch, size

    def _good(self) -> Iterator[Numbered]:
        for number, row in enumerate(self.action.rows, start=1):
            if self.only is not None and number not in self.only:
                continue
            problem = problem_of(row, self.statement)
            if problem:
                self._leave_out(number, problem)
            else:
                yield number, row  # type: ignore[misc]  # a BadRow has a problem

    def _insert(self, batch: Sequence[Numbered]) -> None:
        """Add a batch. If the database refuses it, halve it until the bad row is found."""
        from sqlalchemy.exc import DBAPIError

        try:
            with self.connection.begin_nested():
                self.connection.exec_driver_sql(*self.statement.with_rows([row for _, row in batch]))
        except DBAPIError as error:
            if verdict_of(error) is not Verdict.BAD:
                raise
            if len(batch) == 1:
                self._leave_out(batch[0][0], words_of(error))
                return
            middle = len(batch) // 2
            self._insert(batch[:middle])
            self._insert(batch[middle:])
            return
        self.added += len(batch)

    def _leave_out(self, number: int, reason: str) -> None:
        if not self.action.keep_bad:
            raise Reject(f"row {number}: {reason}")
        self.left_out[number] = reason
        if len(self.left_out) > MOST_LEFT_OUT:
            first, why = next(iter(self.left_out.items()))
            raise Reject(f"more than {MOST_LEFT_OUT} rows are invalid; the first is row {first}: {why}")


def problem_of(row: Any, statement: Statement) -> str:
    """Return the reason why a row cannot be sent; "" if it can."""
    if not isinstance(row, PLAIN):
        if isinstance(row, BadRow):
            return row.reason
        if isinstance(row, str | bytes) or not isinstance(row, Sequence):
            return f"a row must be a sequence of values, not {type(row).__name__}"
    if len(row) != statement.columns:
        return f"{len(row)} columns, but the statement has {statement.columns}"
    return ""


def size_of(row: Row) -> int:
    """Return the approximate size of a row in bytes."""
    try:
        return sum(map(len, row))  # fast path: most rows contain only text
    except TypeError:
        return sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)


def status_of(error: Exception) -> int | None:
    """Return the status of a failed batch as an HTTP status; None if the database never received it."""
    from sqlalchemy.exc import DBAPIError

    return verdict_of(error).value if isinstance(error, DBAPIError) else None
