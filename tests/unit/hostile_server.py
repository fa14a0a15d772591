"""A local server that accepts requests and never responds, or responds one byte at a time."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"


class HostileServer:
    """A server that sends its `greeting`, if any. If `silent`, it sends nothing more; else a byte every 20 ms."""

    def __init__(self, listener: socket.socket, silent: bool, greeting: bytes):
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.accepted = 0
        self.done = Event()
        self._listener = listener
        self._silent = silent
        self._greeting = greeting
        self._threads: list[Thread] = []

    def serve(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                self._threads.append(Thread(target=self._serve_one, args=(connection,)))
                self._threads[-1].start()

    def stop(self) -> None:
        self.done.set()
        for thread in self._threads:
            thread.join()

    def _serve_one(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the client gave up, as expected
            connection.recv(65536)
            for piece in (self._greeting[:1], self._greeting[1:]) if self._greeting else ():
                connection.sendall(piece)
                connection.recv(65536)
            if self._silent:
                self.done.wait()
                return
            connection.sendall(HEAD)
            while not self.done.wait(0.02):
                connection.sendall(b" ")


@contextmanager
def hostile(silent: bool = False, greeting: bytes = b"") -> Iterator[HostileServer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = HostileServer(listener, silent, greeting)
        accepting = Thread(target=server.serve)
        accepting.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            server.stop()
