"""Capture the bulk bodies that streamdex sends for an event, with a server that accepts everything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import orjson


def bodies_of(event: Any, index: str) -> list[bytes]:
    """Return the bodies in the order in which they are sent to an index."""
    from .application.items import Items
    from .contestants.ours import as_lambda, handler_for

    with taking(index) as (url, bodies):
        as_lambda(url, index)
        assert handler_for(Items)(event, None) == {"batchItemFailures": []}
    return bodies


@contextmanager
def taking(index: str) -> Iterator[tuple[str, list[bytes]]]:
    """Run a server; yield its address, and the list of the bodies that it receives."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer({index: {"aliases": {}}})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            bodies.append(body)
            actions = [
                orjson.loads(line) for line in body.splitlines() if line.startswith((b'{"index"', b'{"delete"'))
            ]
            items = [{name: {**of, "status": 200} for name, of in action.items()} for action in actions]
            self.answer({"took": 1, "errors": False, "items": items})

        def answer(self, body: Any) -> None:
            text = orjson.dumps(body)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
