"""Check the SQL database that routes write to: it answers, and the ledger table exists or can be created."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

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
        remedy = "correct DB_URL or DB_HOST, or install the missing package"
        yield Finding("database", "database", str(error), remedy)
        return
    from sqlalchemy import inspect
    from sqlalchemy.exc import DBAPIError

    from ...sinks.sql.database_errors import words_of

    try:
        if inspect(engine).has_table(ledger.NAME):
            return
    except DBAPIError as error:
        remedy = "correct DB_URL, start the server, or create the database"
        yield Finding("database", place, words_of(error), remedy)
        return
    remedy = f"let the database user create the table, or create it yourself ({LEDGER_PAGE})"
    if engine.dialect.name in ("mysql", "mariadb"):  # CREATE TABLE cannot be rolled back there
        problem = f"the table {ledger.NAME} does not exist, and doctor did not try to create it"
        yield Finding("database", place, problem, remedy, NOTE)
        return
    try:
        with engine.connect() as connection:
            ledger.table().create(connection)
            connection.rollback()
    except DBAPIError as error:
        yield Finding("database", place, f"cannot create the table {ledger.NAME}: {words_of(error)}", remedy)
