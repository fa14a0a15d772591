"""A small web server of the standard library: a thread for each request."""

from __future__ import annotations

import logging
import socket
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from types import TracebackType
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import WSGIApplication

from ..errors import SettingsError

logger = logging.getLogger(__name__)


class Handler(WSGIRequestHandler):
    timeout = 10  # seconds that a client may take over its request

    def log_message(self, *_: Any) -> None:
        """Pages are asked for every few seconds: that is nothing to log."""


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, host: str, port: int):
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), Handler)

    def server_bind(self) -> None:
        """Without the look-up of the host's name: it may take long, and nobody asks for it."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away or was too slow is nobody's concern."""
        logger.debug("a request of the page was broken off", exc_info=True)


class Serving:
    """Serves an application, until the `with` block ends."""

    def __init__(self, application: WSGIApplication, host: str, port: int):
        """Raises SettingsError where the port cannot be had."""
        try:
            self._server = Server(host, port)
        except OSError as error:
            reason = f"port {port} of {host} cannot be had ({error.strerror})"
            raise SettingsError(f"{reason}: STREAMDEX_PAGE_PORT names another, 0 none") from error
        self._server.set_app(application)
        self._thread = Thread(target=self._server.serve_forever, name="page", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
