"""A proxy in front of the search server that forwards only reads and records all other requests."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

from faults import FaultyServer, Handler, serving

READS = ("_mget", "_search", "_count")


class ReadOnlyHandler(Handler):
    server: ReadOnlyServer

    def do_POST(self) -> None:  # noqa: N802  # http.server names it
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        if self.command in ("GET", "HEAD") or path.rpartition("/")[2] in READS:
            self.server.reads += 1
            self._answer(*self._forward(body))
        else:
            self.server.refused.append(f"{self.command} {path}")
            self._answer(403, b'{"error":"this server is only read from"}')

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST


class ReadOnlyServer(FaultyServer):
    """A proxy for reads. `refused` lists the rejected requests, `reads` counts the forwarded ones."""

    def __init__(self, upstream: str):
        super().__init__(upstream, lambda: "", random.Random())
        self.RequestHandlerClass = ReadOnlyHandler
        self.refused: list[str] = []
        self.reads = 0


@contextmanager
def read_only(upstream: str) -> Iterator[ReadOnlyServer]:
    with serving(ReadOnlyServer(upstream)) as server:
        yield server
