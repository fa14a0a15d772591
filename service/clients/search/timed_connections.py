"""Connections on which a request ends at the current deadline.

urllib3's time-outs are for one read: a server that sends a byte now and then outlives them.
"""

from __future__ import annotations

import io
import math
from http.client import HTTPResponse
from socket import socket
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection

from ...deadline import time_left

_SHORTEST: Final = 0.001
"""Seconds: a socket takes 0 for one that never waits."""


def limit(sock: socket) -> None:
    """Have the next operation of a socket end at the deadline. Raises TimeoutError after it."""
    left = time_left()
    if left <= 0:
        raise TimeoutError("timed out")
    if left < math.inf:
        sock.settimeout(max(left, _SHORTEST))


class TimedReads(io.RawIOBase):
    """The input of a socket; the time that is left limits each read."""

    def __init__(self, sock: socket):
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        limit(self._sock)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class TimedSocket:
    """The part of a socket that HTTPResponse needs."""

    def __init__(self, sock: socket):
        self._sock = sock

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(TimedReads(self._sock))


class TimedResponse(HTTPResponse):
    """An answer that is read until the deadline."""

    def __init__(self, sock: Any, *arguments: Any, **options: Any):
        super().__init__(TimedSocket(sock), *arguments, **options)  # type: ignore[arg-type]  # all that it asks of it


class _Timed:
    """The common base of both kinds of connection."""

    response_class: Any = TimedResponse
    sock: Any

    def send(self, data: Any) -> None:
        if self.sock is not None:
            limit(self.sock)
        super().send(data)  # type: ignore[misc]  # that of the connection


class TimedConnection(_Timed, HTTPConnection):
    """A connection whose requests end at the deadline."""


class TimedTLSConnection(_Timed, HTTPSConnection):
    """The same over TLS."""
