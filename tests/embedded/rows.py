"""A SQL database with its own table for each test, and the sink that adds rows to it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import text

from service.context import Context
from service.deadline import Deadline, until
from service.model import ObjectRecord
from service.pipeline import Result, Write
from service.routing import InsertRows
from service.settings import Settings
from service.sinks.sql import RowSink

BUCKET = "raw-data"


def upload(version: str = "v1", key: str = "a.csv", etag: str = "") -> ObjectRecord:
    details = {"versionId": version, "eTag": etag}
    return ObjectRecord({}, name="ObjectCreated:Put", bucket=BUCKET, key=key, details=details)


class Database:
    """The table `people (name, age)` under a unique name. It rejects negative ages."""

    _numbers = itertools.count()

    def __init__(self, url: str, **settings: Any):
        self.table = f"people_{next(self._numbers)}_{time.monotonic_ns() % 10**9}"
        self.url = url
        self.context = Context(Settings(db_url=url, **{"db_timeout": 10.0, **settings}))
        self.sink = RowSink(self.context)
        self.statement = f"INSERT INTO {self.table} (name, age) VALUES (%s, %s)"
        self.execute(f"CREATE TABLE {self.table} (name VARCHAR(200) NOT NULL, age INTEGER CHECK (age >= 0))")

    def execute(self, statement: str) -> None:
        with self.context.sql.begin() as connection:
            connection.execute(text(statement))

    def rows(self) -> list[tuple[Any, ...]]:
        with self.context.sql.connect() as connection:
            found = connection.execute(text(f"SELECT name, age FROM {self.table} ORDER BY age, name"))
            return [tuple(row) for row in found]

    def ledger(self) -> list[tuple[str, str, int]]:
        """Return the ledger of this test's objects: source, version, number of added rows."""
        with self.context.sql.connect() as connection:
            query = text("SELECT source, version, added FROM streamdex_ledger WHERE action = :action")
            return [tuple(row) for row in connection.execute(query, {"action": self.action})]

    @property
    def action(self) -> str:
        return f"tests:{self.table} 0"

    def add(
        self,
        rows: Iterable[Any],
        record: ObjectRecord | None = None,
        statement: str = "",
        *,
        keep_bad: bool = False,
        action: str = "",
    ) -> Result:
        """Add rows as one action of a route. `action` is its name in the ledger."""
        asked = InsertRows(statement or self.statement, rows, keep_bad)
        (result,) = self.sink.write([Write(record or upload(), asked, "sql", action or self.action, 0)])
        return result

    def within(self, seconds: Callable[[], float]) -> Any:
        """Set the deadline of an invocation that has this many seconds left."""
        return until(Deadline(seconds).with_reserve())

    def close(self) -> None:
        self.execute(f"DROP TABLE {self.table}")
        self.context.close()
