"""Checkpoint stores: the position in each shard, by group, stream and shard."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final, Protocol

from ..context import Context
from ..errors import Halt, SettingsError
from ..private_files import make_database
from .lease import Lease, LocalLease

FORMAT: Final = 2

ENDED: Final = "SHARD_END"
"""The position of a closed shard that was read to its end and whose child shards have checkpoints."""

TRIM_HORIZON: Final = "TRIM_HORIZON"
LATEST: Final = "LATEST"
"""The positions of a shard before its first read: its beginning, or its end at the time of discovery."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The position in a shard: the sequence number of the last acknowledged record, or a constant above.

    `time` is the time of that record, or the time when the constant was written, in Unix seconds.
    """

    position: str
    time: float


class Checkpoints(Protocol):
    """The checkpoints of a group, and the lease for reading its streams.

    `token` is the token of the lease under which the records were read. If the lease, or the checkpoint, has a
    higher token by now, nothing is changed and LeaseLost is raised.
    """

    @property
    def lease(self) -> Lease: ...

    def read(self, stream: str) -> dict[str, Checkpoint]:
        """Return the checkpoints of a stream by shard, for reading only. Raises Halt and boto3 errors."""
        ...

    def claim(self, stream: str, token: int) -> dict[str, Checkpoint]:
        """Return the checkpoints of a stream by shard, after locking out all earlier tokens.

        Raises Halt, LeaseLost and boto3 errors.
        """
        ...

    def write(self, stream: str, shard: str, checkpoint: Checkpoint, token: int) -> bool:
        """Store the position of a shard. Return False after a transient error.

        Raises LeaseLost, and Halt for any other error.
        """
        ...

    def remove(self, stream: str, shard: str, token: int) -> None:
        """Delete the checkpoint of a shard. Errors are handled as in `write`."""
        ...

    def close(self) -> None:
        """Close the store."""
        ...


def make_checkpoints(context: Context, group: str, competes: bool = True) -> Checkpoints:
    """Return the store of the setting `checkpoints`; with `competes=False` it never takes the lease.

    Raises SettingsError, and Halt if the store cannot be opened.
    """
    where = context.settings.checkpoints
    kind, separator, name = where.partition("://")
    if not separator:
        return SqliteCheckpoints(where, group)
    if kind == "dynamodb" and name:
        from .table_store import TableCheckpoints

        return TableCheckpoints(context, name, group, context.settings.lease_time, competes)
    raise SettingsError(f"checkpoints must be a file or dynamodb://TABLE, not {where!r}")


class NoCheckpoints:
    """A store that discards all checkpoints."""

    lease: Lease = LocalLease()

    def read(self, stream: str) -> dict[str, Checkpoint]:
        return {}

    def claim(self, stream: str, token: int) -> dict[str, Checkpoint]:
        return {}

    def write(self, stream: str, shard: str, checkpoint: Checkpoint, token: int) -> bool:
        return True

    def remove(self, stream: str, shard: str, token: int) -> None:
        pass

    def close(self) -> None:
        pass


class SqliteCheckpoints:
    """A SQLite file for a single process."""

    def __init__(self, path: str | Path, group: str):
        self.lease: Lease = LocalLease()
        self._group = group
        self._lock = Lock()
        try:
            if str(path) != ":memory:":
                make_database(path)
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            # Commits do not wait for the disk. They survive a crash of the process. After a power failure the file
            # is consistent, and some records are read again ("PRAGMA synchronous", SQLite).
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS positions (grp TEXT, stream TEXT, shard TEXT, position TEXT,"
                " time REAL, format INTEGER, PRIMARY KEY (grp, stream, shard))"
            )
        except (OSError, sqlite3.Error) as error:
            raise Halt(
                f"cannot store checkpoints in {path}: {error}. Set STREAMDEX_CHECKPOINTS to another file."
            ) from error

    def read(self, stream: str) -> dict[str, Checkpoint]:
        columns = "SELECT shard, position, time FROM positions WHERE grp = ? AND stream = ?"
        rows = self._execute(columns, self._group, stream)
        return {shard: Checkpoint(position, time) for shard, position, time in rows}

    def claim(self, stream: str, token: int) -> dict[str, Checkpoint]:
        return self.read(stream)

    def write(self, stream: str, shard: str, checkpoint: Checkpoint, token: int) -> bool:
        row = (self._group, stream, shard, checkpoint.position, checkpoint.time, FORMAT)
        self._execute("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?)", *row)
        if checkpoint.position == LATEST:  # if it were lost, the next start would skip the records until then
            self._execute("PRAGMA wal_checkpoint(FULL)")
        return True

    def remove(self, stream: str, shard: str, token: int) -> None:
        where = "DELETE FROM positions WHERE grp = ? AND stream = ? AND shard = ?"
        self._execute(where, self._group, stream, shard)

    def _execute(self, statement: str, *values: Any) -> list[Any]:
        try:
            with self._lock:
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise Halt(
                f"cannot use the checkpoint file: {error}. Check the file that STREAMDEX_CHECKPOINTS names."
            ) from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()
