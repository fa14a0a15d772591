"""Serve the page and the health checks with waitress, with bounded threads and connections.

One thread reads all connections, so a slow client occupies a file descriptor but no thread. Health checks have
their own thread: a page that waits for the search server cannot delay them.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Collection
from contextlib import suppress
from threading import Thread
from typing import Any, Final, Self
from wsgiref.types import WSGIApplication

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from ..errors import SettingsError

PAGE_THREADS: Final = 4
HEALTH_THREADS: Final = 1

CONNECTIONS: Final = 128
"""Open connections. Above that, a new one replaces the oldest that has not sent a complete request."""

IDLE_TIMEOUT: Final = 10
"""Seconds after which a connection that sends nothing is closed."""

LIMITS: Final[dict[str, Any]] = {
    "asyncore_use_poll": True,  # select() fails for file descriptors above 1,023
    "channel_timeout": IDLE_TIMEOUT,
    "cleanup_interval": 1,
    "connection_limit": 2 * CONNECTIONS,
    "ident": None,  # no Server header
    "log_socket_errors": False,  # a client that disconnects is normal
    "max_request_body_size": 1 << 20,
    "max_request_header_size": 1 << 16,
}
"""The settings of waitress ("Arguments to waitress.serve", waitress documentation)."""

# Waitress warns whenever a request waits for a thread, which is normal while a browser loads a page.
logging.getLogger("waitress.queue").setLevel(logging.ERROR)


class SplitDispatcher:
    """A task dispatcher: requests for `paths` run in the health threads, all others in the page threads."""

    def __init__(self, paths: Collection[str]):
        self._paths = paths
        self._health = ThreadedTaskDispatcher()
        self._page = ThreadedTaskDispatcher()
        self._health.set_thread_count(HEALTH_THREADS)
        self._page.set_thread_count(PAGE_THREADS)

    def add_task(self, channel: Any) -> None:
        """Run the first request of a connection. Waitress calls this on its task dispatcher."""
        threads = self._health if channel.requests[0].path in self._paths else self._page
        threads.add_task(channel)

    def shutdown(self) -> None:
        """Stop the threads. Requests that have not started are dropped."""
        self._health.shutdown()
        self._page.shutdown()


class Server(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    """A server that accepts every connection, and closes the oldest incomplete ones if there are too many.

    Plain waitress stops accepting at its limit, so slow clients could lock out the health checks.
    """

    def readable(self) -> bool:
        """True if a connection can be accepted. Waitress calls this before each iteration of its loop."""
        surplus = len(self.active_channels) - CONNECTIONS + 1
        if surplus > 0:
            waiting = [channel for channel in self.active_channels.values() if not channel.requests]
            for channel in sorted(waiting, key=lambda channel: channel.creation_time)[:surplus]:
                channel.will_close = True
        return bool(super().readable())


class Serving:
    """A context manager that serves an application. `health` holds the paths of the health checks."""

    def __init__(self, application: WSGIApplication, host: str, port: int, health: Collection[str] = ()):
        """Bind the port; 0 selects any free port. Raises SettingsError if it cannot be bound."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._dispatcher = SplitDispatcher(health)
        self._sockets: dict[int, Any] = {}
        try:
            self._server = Server(
                application,
                self._sockets,
                dispatcher=self._dispatcher,
                adj=Adjustments(host=host, port=port, **LIMITS),
                sockinfo=(family, socket.SOCK_STREAM, 0, (host, port)),
            )
        except OSError as error:
            wasyncore.close_all(self._sockets)
            self._dispatcher.shutdown()
            raise SettingsError(
                f"Cannot listen on port {port} of {host}: {error.strerror}. "
                "Set STREAMDEX_PAGE_PORT to a free port, or to 0 for no page."
            ) from error
        self._thread = Thread(target=self._server.run, name="page", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.effective_port)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        # The loop ends when it has no sockets left. Only its own thread may close them.
        with suppress(OSError):  # a finished response woke the loop at the same time, and all sockets are closed
            self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._sockets))
        self._thread.join()
        self._dispatcher.shutdown()
