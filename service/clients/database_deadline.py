"""Deadlines for connections to the SQL database.

The drivers of MySQL and PostgreSQL wait for a response indefinitely. Only closing the connection ends the wait.
"""

from __future__ import annotations

import math
import os
import socket
from contextlib import suppress
from threading import Timer
from typing import Any, Final

from ..deadline import time_left

_TIMER: Final = "streamdex_deadline"
_LEAST: Final = 1
"""Seconds; the drivers accept only whole ones."""


def end_at_deadline(engine: Any, kind: str, seconds: float) -> None:
    """Limit the engine's connections: connect in `seconds`, ping on checkout, and cut at the thread's deadline.

    `kind` is the name of the database's dialect.
    """
    from sqlalchemy import event
    from sqlalchemy.exc import DisconnectionError

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, record: Any, arguments: Any, options: Any) -> Any:
        left = min(seconds, time_left())
        if left <= 0:
            raise TimeoutError("the deadline passed before connecting to the database")
        connection = dialect.connect(*arguments, **{**options, **_limits(kind, left)})
        _watch(record, connection)
        return connection

    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        if kind in ("mysql", "mariadb"):  # these limits apply only while connecting
            connection._read_timeout = connection._write_timeout = None

    @event.listens_for(engine, "checkout")
    def taken(connection: Any, record: Any, proxy: Any) -> None:
        _watch(record, connection)
        try:  # SQLAlchemy's own ping runs before this event, without a deadline
            engine.dialect.do_ping(connection)
        except engine.dialect.dbapi.Error as error:
            if engine.dialect.is_disconnect(error, connection, None):
                raise DisconnectionError(str(error)) from error
            raise

    @event.listens_for(engine, "checkin")
    def returned(connection: Any, record: Any) -> None:
        _release(record)


def _limits(kind: str, seconds: float) -> dict[str, Any]:
    """Return the driver's arguments for a connection timeout. For SQLite it limits the wait for locks."""
    if kind == "sqlite":
        return {"timeout": seconds}
    whole = max(int(seconds), _LEAST)
    if kind == "postgresql":
        return {"connect_timeout": whole}
    return {"connect_timeout": whole, "read_timeout": whole, "write_timeout": whole}


def _watch(record: Any, connection: Any) -> None:
    """Cut a connection at the deadline, unless it is returned to the pool before."""
    _release(record)
    left = time_left()
    if left < math.inf:
        timer = record.info[_TIMER] = Timer(max(left, 0.0), _cut, (connection,))
        timer.daemon = True
        timer.start()


def _release(record: Any) -> None:
    timer = record.info.pop(_TIMER, None)
    if timer is not None:
        timer.cancel()


def _cut(connection: Any) -> None:
    """Interrupt a connection. Its driver then raises the error of a lost connection."""
    if hasattr(connection, "interrupt"):  # SQLite
        connection.interrupt()
        return
    with suppress(OSError, AttributeError):  # the connection may already be closed
        descriptor = connection.fileno() if hasattr(connection, "fileno") else connection._sock.fileno()
        with socket.socket(fileno=os.dup(descriptor)) as twin:
            twin.shutdown(socket.SHUT_RDWR)
