"""Where the positions in streams are kept, by group, stream and shard."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from threading import Lock
from typing import Final, Protocol

from ..context import Context
from ..dispatch.failures import reaching, result_of
from ..dispatch.outcomes import Outcome
from ..errors import Halt, SettingsError

logger = logging.getLogger(__name__)

FORMAT: Final = 1

ENDED: Final = "SHARD_END"
"""The position of a shard that is closed and read to its end."""


class Checkpoints(Protocol):
    """Positions: the sequence number of the last record that is done, or ENDED."""

    def read(self, stream: str, shard: str) -> str | None:
        """The position in a shard; None where none was written."""
        ...

    def write(self, stream: str, shard: str, position: str) -> None:
        """Keeps the position. Raises Halt when it cannot."""
        ...

    def close(self) -> None:
        """Lets go of the store."""
        ...


def make_checkpoints(context: Context) -> Checkpoints:
    """The store that the setting `checkpoints` names."""
    where, group = context.settings.checkpoints, context.settings.group
    kind, separator, name = where.partition("://")
    if not separator:
        return SqliteCheckpoints(where, group)
    if kind == "dynamodb" and name:
        return TableCheckpoints(context, name, group)
    raise SettingsError(f"checkpoints must be a file or dynamodb://TABLE, not {where!r}")


class SqliteCheckpoints:
    """A file on this machine."""

    def __init__(self, path: str | Path, group: str):
        self._group = group
        self._lock = Lock()
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS checkpoints (grp TEXT, stream TEXT, shard TEXT, position TEXT,"
                " format INTEGER, PRIMARY KEY (grp, stream, shard))"
            )
        except (OSError, sqlite3.Error) as error:
            raise Halt(f"checkpoints cannot be kept in {path}: {error}; set STREAMDEX_CHECKPOINTS") from error

    def read(self, stream: str, shard: str) -> str | None:
        with self._lock:
            row = self._connection.execute(
                "SELECT position FROM checkpoints WHERE grp = ? AND stream = ? AND shard = ?",
                (self._group, stream, shard),
            ).fetchone()
        return str(row[0]) if row else None

    def write(self, stream: str, shard: str, position: str) -> None:
        try:
            with self._lock:
                self._connection.execute(
                    "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?)",
                    (self._group, stream, shard, position, FORMAT),
                )
        except sqlite3.Error as error:
            raise Halt(f"the checkpoint of {shard} cannot be written: {error}") from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()


class TableCheckpoints:
    """A DynamoDB table with the string key `id`; it is created where it is missing."""

    def __init__(self, context: Context, table: str, group: str):
        self._dynamodb = context.dynamodb
        self._table = table
        self._group = group
        self._create_missing()

    def read(self, stream: str, shard: str) -> str | None:
        answer = self._dynamodb.get_item(TableName=self._table, Key=self._key(stream, shard), ConsistentRead=True)
        item = answer.get("Item")
        return str(item["position"]["S"]) if item else None

    def write(self, stream: str, shard: str, position: str) -> None:
        item = self._key(stream, shard) | {"position": {"S": position}, "format": {"N": str(FORMAT)}}
        try:
            self._dynamodb.put_item(TableName=self._table, Item=item)
        except Exception as error:
            result = result_of(error, f"the checkpoint of {shard} in table {self._table}")
            if result.outcome is not Outcome.RETRY:
                raise Halt(result.reason) from error
            # The next one covers it; until then a restart would read some records again.
            logger.warning("checkpoint not written", extra={"shard": shard, "reason": result.reason})

    def close(self) -> None:
        """The client is the context's to close."""

    def _key(self, stream: str, shard: str) -> dict[str, dict[str, str]]:
        return {"id": {"S": f"{self._group}|{stream}|{shard}"}}

    def _create_missing(self) -> None:
        try:
            with reaching(f"the table {self._table} for checkpoints"):
                self._dynamodb.describe_table(TableName=self._table)
        except self._dynamodb.exceptions.ResourceNotFoundException:
            self._dynamodb.create_table(
                TableName=self._table,
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
            self._dynamodb.get_waiter("table_exists").wait(TableName=self._table)
