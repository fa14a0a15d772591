"""Where the positions in streams are kept, by group, stream and shard."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final, Protocol

from ..context import Context
from ..dispatch.failures import reaching, result_of
from ..dispatch.outcomes import Outcome
from ..errors import Halt, LeaseLost, SettingsError
from .lease import Lease, TableLease, Unshared

logger = logging.getLogger(__name__)

FORMAT: Final = 2

ENDED: Final = "SHARD_END"
"""The position of a shard that is closed and read to its end, and whose children are recorded."""

TRIM_HORIZON: Final = "TRIM_HORIZON"
LATEST: Final = "LATEST"
"""The positions of a shard of which nothing was read yet: its beginning, or its end when it was first seen."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a shard is read: the sequence number of the last record that is done, or one of the words above.

    `time` is when that record was made, or when the word was written, in Unix seconds.
    """

    position: str
    time: float


class Checkpoints(Protocol):
    """How far a group has read the shards of its streams, and the lease of whoever may read them."""

    @property
    def lease(self) -> Lease: ...

    def read(self, stream: str) -> dict[str, Checkpoint]:
        """What is recorded of a stream, by shard. Raises Halt when it cannot be read, and what boto3 raises."""
        ...

    def write(self, stream: str, shard: str, checkpoint: Checkpoint) -> None:
        """Keeps how far a shard is read. Raises Halt when it cannot."""
        ...

    def remove(self, stream: str, shard: str) -> None:
        """Forgets a shard. Raises Halt when it cannot."""
        ...

    def close(self) -> None:
        """Lets go of the store."""
        ...


def make_checkpoints(context: Context, group: str, competes: bool = True) -> Checkpoints:
    """The store that the setting `checkpoints` names. Who only reads it does not compete for the lease."""
    where = context.settings.checkpoints
    kind, separator, name = where.partition("://")
    if not separator:
        return SqliteCheckpoints(where, group)
    if kind == "dynamodb" and name:
        return TableCheckpoints(context, name, group, context.settings.lease_time, competes)
    raise SettingsError(f"checkpoints must be a file or dynamodb://TABLE, not {where!r}")


class Unkept:
    """Positions that nobody goes on from."""

    lease: Lease = Unshared()

    def read(self, stream: str) -> dict[str, Checkpoint]:
        return {}

    def write(self, stream: str, shard: str, checkpoint: Checkpoint) -> None:
        pass

    def remove(self, stream: str, shard: str) -> None:
        pass

    def close(self) -> None:
        pass


class SqliteCheckpoints:
    """A file on this machine, for one process."""

    def __init__(self, path: str | Path, group: str):
        self.lease: Lease = Unshared()
        self._group = group
        self._lock = Lock()
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS positions (grp TEXT, stream TEXT, shard TEXT, position TEXT,"
                " time REAL, format INTEGER, PRIMARY KEY (grp, stream, shard))"
            )
        except (OSError, sqlite3.Error) as error:
            raise Halt(f"checkpoints cannot be kept in {path}: {error}; set STREAMDEX_CHECKPOINTS") from error

    def read(self, stream: str) -> dict[str, Checkpoint]:
        columns = "SELECT shard, position, time FROM positions WHERE grp = ? AND stream = ?"
        rows = self._execute(columns, self._group, stream)
        return {shard: Checkpoint(position, time) for shard, position, time in rows}

    def write(self, stream: str, shard: str, checkpoint: Checkpoint) -> None:
        row = (self._group, stream, shard, checkpoint.position, checkpoint.time, FORMAT)
        self._execute("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?)", *row)

    def remove(self, stream: str, shard: str) -> None:
        where = "DELETE FROM positions WHERE grp = ? AND stream = ? AND shard = ?"
        self._execute(where, self._group, stream, shard)

    def _execute(self, statement: str, *values: Any) -> list[Any]:
        try:
            with self._lock:
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise Halt(f"the file of checkpoints cannot be used: {error}; see STREAMDEX_CHECKPOINTS") from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()


class TableCheckpoints:
    """A DynamoDB table with the string keys `stream` (of a group) and `shard`; it is created if it is missing."""

    def __init__(self, context: Context, table: str, group: str, lease_time: float, competes: bool = True):
        self._dynamodb = context.dynamodb
        self._table = table
        self._group = group
        self._create_missing()
        self.lease: TableLease = TableLease(self._dynamodb, table, group, lease_time)
        if competes:
            self.lease.start()

    def read(self, stream: str) -> dict[str, Checkpoint]:
        found: dict[str, Checkpoint] = {}
        query = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="stream = :stream",
            ExpressionAttributeValues={":stream": self._key(stream, "")["stream"]},
            ConsistentRead=True,
        )
        for page in query:
            for item in page["Items"]:
                found[item["shard"]["S"]] = Checkpoint(item["position"]["S"], float(item["time"]["N"]))
        return found

    def write(self, stream: str, shard: str, checkpoint: Checkpoint) -> None:
        item = self._key(stream, shard) | {
            "position": {"S": checkpoint.position},
            "time": {"N": str(checkpoint.time)},
            "format": {"N": str(FORMAT)},
        }
        self._change(shard, {"Put": {"TableName": self._table, "Item": item}})

    def remove(self, stream: str, shard: str) -> None:
        self._change(shard, {"Delete": {"TableName": self._table, "Key": self._key(stream, shard)}})

    def _change(self, shard: str, change: Mapping[str, Any]) -> None:
        """Makes a change if the lease is this process's: in one transaction, for it can be lost at any moment."""
        held = {
            "TableName": self._table,
            "Key": self.lease.key,
            "ConditionExpression": "#owner = :owner",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": {":owner": {"S": self.lease.owner}},
        }
        try:
            self._dynamodb.transact_write_items(TransactItems=[{"ConditionCheck": held}, change])
        except self._dynamodb.exceptions.TransactionCanceledException as error:
            codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
            if "ConditionalCheckFailed" in codes:
                raise LeaseLost(f"the checkpoint of {shard} is another poller's to write") from error
            self._later(shard, f"the transaction was cancelled: {codes}")
        except Exception as error:
            result = result_of(error, f"the checkpoint of {shard} in table {self._table}")
            if result.outcome is not Outcome.RETRY:
                raise Halt(result.reason) from error
            self._later(shard, result.reason)

    def _later(self, shard: str, reason: str) -> None:
        """The next checkpoint covers this one; until then a restart would read some records again."""
        logger.warning("checkpoint not written", extra={"shard": shard, "reason": reason})

    def close(self) -> None:
        """Releases the lease; the client is the context's to close."""
        self.lease.release()

    def _key(self, stream: str, shard: str) -> dict[str, dict[str, str]]:
        return {"stream": {"S": f"{self._group}|{stream}"}, "shard": {"S": shard}}

    def _create_missing(self) -> None:
        try:
            with reaching(f"the table {self._table} for checkpoints"):
                self._dynamodb.describe_table(TableName=self._table)
        except self._dynamodb.exceptions.ResourceNotFoundException:
            self._dynamodb.create_table(
                TableName=self._table,
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": "S"} for name in ("stream", "shard")
                ],
                KeySchema=[
                    {"AttributeName": "stream", "KeyType": "HASH"},
                    {"AttributeName": "shard", "KeyType": "RANGE"},
                ],
                BillingMode="PAY_PER_REQUEST",
            )
            self._dynamodb.get_waiter("table_exists").wait(TableName=self._table)
