"""Add the rows of records, once per object content: the ledger row is committed with them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Final

from ...clients.database import shown
from ...context import Context
from ...deadline import out_of_time
from ...errors import Halt, LeaseLost, SettingsError
from ...model.outcomes import APPLIED, OUT_OF_TIME, Outcome
from ...pipeline import SILENT, Observer, Result, Write
from ...pipeline.delivery import Fence, no_fence
from ...pipeline.error_outcomes import result_of
from ...routing import InsertRows
from . import ledger
from .database_errors import Verdict, kind_of, verdict_of, words_of
from .row_loading import Loading
from .statement import translated

logger = logging.getLogger(__name__)

MOST_LISTED: Final = 20
"""Rejected rows that the reason of a dead letter lists; the ledger has all of them."""


class RowSink:
    """Write actions one by one, each in its own transaction."""

    def __init__(self, context: Context, observer: Observer = SILENT, clock: Callable[[], float] = time.monotonic):
        self._context = context
        self._observer = observer
        self._clock = clock
        self._lock = Lock()
        self._has_ledger = False

    def write(self, writes: Sequence[Write], fence: Fence = no_fence) -> list[Result]:
        return [self._write_one(write, fence) for write in writes]

    def _write_one(self, write: Write, fence: Fence) -> Result:
        fence()
        if out_of_time():
            return OUT_OF_TIME
        from_rows = write.action.rows if isinstance(write.action, InsertRows) else ()
        try:
            return self._load(write, fence)
        except SettingsError as error:
            raise Halt(str(error)) from error
        except (Halt, LeaseLost):
            raise
        except Exception as error:
            return self._failed(error, write)
        finally:
            close = getattr(from_rows, "close", None)  # close a generator, and with it the object that it reads
            if close:
                close()

    def _load(self, write: Write, fence: Fence) -> Result:
        """Add the rows, or return the earlier result. Raises what SQLAlchemy and the rows raise."""
        entry = ledger.entry_of(write)
        self._make_ledger()
        try:
            return self._in_one_transaction(write, entry, fence)
        except ledger.Taken:  # no row has been read yet
            return self._in_one_transaction(write, entry, fence)

    def _in_one_transaction(self, write: Write, entry: ledger.Entry, fence: Fence) -> Result:
        action = write.action
        assert isinstance(action, InsertRows)
        engine = self._context.sql
        statement = translated(action.statement, engine.dialect.name, engine.dialect.paramstyle)
        with engine.begin() as connection:
            before = ledger.find(connection, entry)
            if before is None:
                ledger.claim(connection, entry)
            elif before.left_out:  # rejected rows may succeed now
                before = ledger.find(connection, entry, lock=True)
            if before is not None and not before.left_out:
                return APPLIED
            loading = Loading(
                connection,
                self._context,
                self._observer,
                statement,
                action,
                route_of(write),
                fence,
                only=None if before is None else before.left_out.keys(),
                clock=self._clock,
            )
            loading.run()
            added = loading.added + (before.added if before else 0)
            ledger.write_down(connection, entry, ledger.Done(added, loading.left_out))
        logger.info("rows added", extra={"route": route_of(write), "rows": loading.added})
        return left_out(added, loading.left_out) if loading.left_out else APPLIED

    def _make_ledger(self) -> None:
        with self._lock:
            if not self._has_ledger:
                ledger.make_table(self._context.sql)
                self._has_ledger = True

    def _failed(self, error: Exception, write: Write) -> Result:
        """Return the result of rows that were not added. Raises Halt for an error that every row would meet."""
        from sqlalchemy.exc import DBAPIError

        doing = f"{route_of(write)}: adding rows to the database"
        if not isinstance(error, DBAPIError):
            return result_of(error, doing)
        verdict, said = verdict_of(error), words_of(error)
        if verdict is Verdict.HALT:
            self._has_ledger = False  # the table may have been removed
            raise Halt(f"the database {shown(self._context.sql.url)}: {said}: {remedy_of(said)}") from error
        outcome = Outcome.RETRY if verdict is Verdict.RETRY else Outcome.REJECTED
        return Result(outcome, f"{doing}: {said}", log_text=f"{doing}: {kind_of(error)}")


def route_of(write: Write) -> str:
    """Return the route of a write; its id is the route, a space, and the number of the action."""
    return write.id.partition(" ")[0]


def left_out(added: int, rows: Mapping[int, str]) -> Result:
    """Return the result of an action with rejected rows; its dead letter lists them."""
    log_text = f"{added} rows added, {len(rows)} rejected"
    some = [f"row {number}: {reason}" for number, reason in list(rows.items())[:MOST_LISTED]]
    more = (
        [f"… and {len(rows) - MOST_LISTED} more: see the column left_out of the table {ledger.NAME}"]
        if len(rows) > MOST_LISTED
        else []
    )
    return Result(Outcome.REJECTED, f"{log_text}: {'; '.join([*some, *more])}", log_text=log_text)


def remedy_of(said: str) -> str:
    """Return the remedy for an error that every row would meet."""
    if any(words in said.lower() for words in ("denied", "authentication", "password", "permission")):
        return "correct DB_USER and DB_PASS, or grant that user the permission"
    return "create the missing database, table or column, or correct DB_URL, DB_NAME or the insert statement"
