"""The ledger: one row per object content and action, committed together with the rows it describes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from ...errors import Reject, Retry
from ...model import ObjectRecord
from ...pipeline import Write

NAME: Final = "streamdex_ledger"


@dataclass(frozen=True, slots=True)
class Entry:
    """A ledger key: the source, its version (an object's, its ETag, or a sequence number), and the action."""

    source: str
    version: str
    action: str

    @property
    def id(self) -> str:
        """A key of fixed length that every database accepts, however long the object key is."""
        return hashlib.sha256(json.dumps([self.source, self.version, self.action]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Done:
    """The result of an action: the number of rows added, and the reasons for the rejected rows by row number."""

    added: int
    left_out: Mapping[int, str]


def entry_of(write: Write) -> Entry:
    """Return the ledger entry of a write.

    Raises Reject if the content has no version, because its rows could be added twice.
    """
    record = write.record
    if isinstance(record, ObjectRecord):
        source, version = f"s3://{record.bucket}/{record.key}", str(record.revision)
    else:
        source, version = record.source, record.sequence_number
    if not version:
        raise Reject("the record has no version, ETag or sequence number: its rows could be added twice")
    return Entry(source, version, write.id)


@cache
def table() -> Any:
    from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text
    from sqlalchemy.dialects.mysql import MEDIUMTEXT

    large = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")
    return Table(
        NAME,
        MetaData(),
        Column("id", String(64), primary_key=True),
        Column("source", Text, nullable=False),
        Column("version", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("added", BigInteger, nullable=False),
        Column("left_out", large, nullable=False),
        Column("loaded", String(32), nullable=False),
    )


def make_table(engine: Any) -> None:
    """Create the table if it is missing; another process may do so too. Raises what SQLAlchemy raises."""
    from sqlalchemy import inspect
    from sqlalchemy.exc import DBAPIError

    try:
        table().create(engine, checkfirst=True)
    except DBAPIError:
        if not inspect(engine).has_table(NAME):
            raise


def find(connection: Any, entry: Entry, lock: bool = False) -> Done | None:
    """Return the recorded result; None without one. With `lock` the row is locked until the transaction ends."""
    from sqlalchemy import select

    columns = table().c
    query = select(columns.added, columns.left_out).where(columns.id == entry.id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        return None
    return Done(row.added, {int(number): reason for number, reason in json.loads(row.left_out)})


class Taken(Retry):
    """Another process has just finished the same entry: read it again in another transaction."""


def claim(connection: Any, entry: Entry) -> None:
    """Insert an entry before its rows are added; a second process waits. Raises Taken."""
    from sqlalchemy.exc import IntegrityError

    values = {"id": entry.id, "source": entry.source, "version": entry.version, "action": entry.action}
    try:
        connection.execute(table().insert().values(**values, **_values(Done(0, {}))))
    except IntegrityError as error:
        raise Taken(f"another process has just added {entry.source} to the ledger") from error


def write_down(connection: Any, entry: Entry, done: Done) -> None:
    connection.execute(table().update().where(table().c.id == entry.id).values(**_values(done)))


def _values(done: Done) -> dict[str, Any]:
    return {
        "added": done.added,
        "left_out": json.dumps(list(done.left_out.items())),
        "loaded": datetime.now(UTC).isoformat(timespec="seconds"),
    }
