"""Where the positions in streams are kept, by group, stream and shard."""

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
    """How far a group has read the shards of its streams, and the lease of whoever may read them.

    `token` is that of the lease under which something was read. Under an earlier one than the lease has by now, or
    than the position was claimed with, nothing is changed: LeaseLost.
    """

    @property
    def lease(self) -> Lease: ...

    def read(self, stream: str) -> dict[str, Checkpoint]:
        """What is recorded of a stream, by shard, for who only looks. Raises Halt, and what boto3 raises."""
        ...

    def claim(self, stream: str, token: int) -> dict[str, Checkpoint]:
        """What is recorded of a stream, by shard, once nobody with an earlier token can change it any longer.

        Raises Halt, LeaseLost, and what boto3 raises.
        """
        ...

    def write(self, stream: str, shard: str, checkpoint: Checkpoint, token: int) -> bool:
        """Keeps how far a shard is read; False if it cannot for now. Raises Halt where it never can, LeaseLost."""
        ...

    def remove(self, stream: str, shard: str, token: int) -> None:
        """Forgets a shard, or does so another time. Raises Halt where it never can, LeaseLost."""
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
        from .table_store import TableCheckpoints

        return TableCheckpoints(context, name, group, context.settings.lease_time, competes)
    raise SettingsError(f"checkpoints must be a file or dynamodb://TABLE, not {where!r}")


class NoCheckpoints:
    """Positions that nobody goes on from."""

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
    """A file on this machine, for one process."""

    def __init__(self, path: str | Path, group: str):
        self.lease: Lease = LocalLease()
        self._group = group
        self._lock = Lock()
        try:
            if str(path) != ":memory:":
                make_database(path)
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            # Commits do not wait for the disk. They survive the process; if the power fails the file is whole, and
            # some records are read again ("PRAGMA synchronous", SQLite).
            self._connection.execute("PRAGMA synchronous = NORMAL")
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

    def claim(self, stream: str, token: int) -> dict[str, Checkpoint]:
        return self.read(stream)

    def write(self, stream: str, shard: str, checkpoint: Checkpoint, token: int) -> bool:
        row = (self._group, stream, shard, checkpoint.position, checkpoint.time, FORMAT)
        self._execute("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?)", *row)
        if checkpoint.position == LATEST:  # without it, what came since the stream was begun would be left out
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
            raise Halt(f"the file of checkpoints cannot be used: {error}; see STREAMDEX_CHECKPOINTS") from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()
