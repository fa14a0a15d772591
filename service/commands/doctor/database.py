"""Check the SQL database that routes write to: it answers, and the ledger table exists or can be created."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ...clients.database import address_of, shown
from ...errors import Halt, SettingsError
from ...sinks.sql import ledger
from .findings import NOTE, Finding
from .patient import DoctorContext

LEDGER_PAGE: Final = "docs/worker.md says how"


def check(patient: DoctorContext) -> Iterator[Finding]:
    if not any(bound.database for bound in patient.router.bound):
        return
    try:
        place = f"database {shown(address_of(patient.settings))}"
        engine = patient.context.sql
    except (Halt, SettingsError) as error:
        yield Finding("database", "database", str(error), "correct DB_URL or DB_HOST, or install what is missing")
        return
    yield from _look(engine, place)


def _look(engine: Any, place: str) -> Iterator[Finding]:
    from sqlalchemy import inspect
    from sqlalchemy.exc import DBAPIError

    from ...sinks.sql.database_errors import words_of

    try:
        if inspect(engine).has_table(ledger.NAME):
            return
    except DBAPIError as error:
        yield Finding("database", place, words_of(error), "correct DB_URL, or start or create what it names")
        return
    if engine.dialect.name in ("mysql", "mariadb"):  # CREATE TABLE cannot be rolled back there
        remedy = f"let its user create {ledger.NAME}, or create it ({LEDGER_PAGE})"
        yield Finding(
            "database", place, f"{ledger.NAME} is not there yet, and making it was not tried", remedy, NOTE
        )
        return
    try:
        with engine.connect() as connection:
            ledger.table().create(connection)
            connection.rollback()
    except DBAPIError as error:
        remedy = f"let its user create it, or create it yourself ({LEDGER_PAGE})"
        yield Finding("database", place, f"{ledger.NAME} cannot be made: {words_of(error)}", remedy)
