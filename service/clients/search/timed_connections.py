"""Connections whose requests end at the current deadline.

The timeouts of urllib3 limit a single read. A server that sends one byte at a time never exceeds them.
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
"""The shortest timeout in seconds. A timeout of 0 would make the socket non-blocking."""


def limit(sock: socket) -> None:
    """Make the next operation of a socket end at the deadline. Raises TimeoutError if the deadline has passed."""
    left = time_left()
    if left <= 0:
        raise TimeoutError("timed out")
    if left < math.inf:
        sock.settimeout(max(left, _SHORTEST))


class TimedReads(io.RawIOBase):
    """The input of a socket. The time left limits each read."""

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
    """The part of the socket interface that HTTPResponse uses."""

    def __init__(self, sock: socket):
        self._sock = sock

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(TimedReads(self._sock))


class TimedResponse(HTTPResponse):
    """A response whose reads end at the deadline."""

    def __init__(self, sock: Any, *arguments: Any, **options: Any):
        super().__init__(TimedSocket(sock), *arguments, **options)  # type: ignore[arg-type]  # makefile is enough


class _Timed:
    """The deadline of both kinds of connection."""

    response_class: Any = TimedResponse
    sock: Any

    def send(self, data: Any) -> None:
        if self.sock is not None:
            limit(self.sock)
        super().send(data)  # type: ignore[misc]  # the connection class is the other base


class TimedConnection(_Timed, HTTPConnection):
    """An HTTP connection whose requests end at the deadline."""


class TimedTLSConnection(_Timed, HTTPSConnection):
    """An HTTPS connection whose requests end at the deadline."""
