"""A proxy in front of the search server that makes bulk requests fail as networks and busy servers do."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from search_model import parse

TIMEOUT = 0.1
"""Seconds that the client under test waits for a response."""

FAULTS = (
    "429",
    "503",
    "items 429",
    "items 503",
    "items blocked",
    "items without index",
    "401",
    "reset",
    "reset after applying",
    "cut off after applying",
    "hang",
    "late after applying",
    "413",
    "302",
    "407",
    "items remote model",
    "items null",
    "other JSON",
    "no JSON after applying",
)
"""Faults of a whole request, or of some of its items. All are temporary."""

POISON, BROKEN = "poison", "broken"
"""Ids with permanent errors: a request with POISON gets a 400 without items, the item BROKEN gets a 500."""

HELD = ("lost", "refused late", "applied late", "answered late")
"""Faults of a bulk request that is held. With the last one, only the response is held."""

HOP = ("accept-encoding", "connection", "content-length", "host")
"""Headers of a single connection, which the proxy does not forward."""

ERRORS = {
    "items 429": (429, "rejected_execution_exception"),
    "items 503": (503, "unavailable_shards_exception"),
    "items blocked": (403, "cluster_block_exception"),
    "items without index": (404, "index_not_found_exception"),
    "items remote model": (400, "status_exception"),
}


Server = TypeVar("Server", bound=http.server.ThreadingHTTPServer)


class FaultyServer(http.server.ThreadingHTTPServer):
    """A proxy that forwards to `upstream`. `choose` returns the fault of the next bulk request, or "" for none.

    All requests wait while `open` is not set. A held bulk request sets `holding` and waits for `going_on`. It sets
    `over` when only its response is left to be read.
    """

    daemon_threads = True

    def __init__(self, upstream: str, choose: Callable[[], str], chance: random.Random):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = urlsplit(upstream)
        self.choose = choose
        self.chance = chance
        self.faults: list[str] = []
        self.requests = 0
        self.lock = threading.Lock()
        self.open = threading.Event()
        self.open.set()
        self.holding, self.going_on, self.over = threading.Event(), threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore the errors of clients that time out, as they should."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.requests += 1
        self.server.open.wait()
        if self.path.startswith("/_bulk"):
            self._bulk(body)
        else:
            self._answer(*self._forward(body))

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST

    def log_message(self, *_: Any) -> None:
        pass

    def _bulk(self, body: bytes) -> None:
        with self.server.lock:
            fault = self.server.choose()
            self.server.faults.append(fault)
        actions = parse(body)
        if any(name == POISON for name, _ in actions):
            self._answer(
                400,
                b'{"error":{"type":"action_request_validation_exception","reason":"id is too long"},"status":400}',
            )
        elif fault in HELD:
            self._hold(body, actions, fault)
        elif fault in ("302", "401", "407", "429", "503"):
            self._answer(int(fault), b'{"error":"busy"}')
        elif fault == "other JSON":
            self._answer(200, b'{"message":null}')
        elif fault == "413" and len(actions) > 1:
            self._answer(413, b"")
        elif fault == "reset":
            self._reset()
        elif fault == "hang":
            time.sleep(2 * TIMEOUT)
            self._reset()
        else:
            self._apply(actions, fault)

    def _apply(self, actions: list[tuple[str, bytes]], fault: str) -> None:
        """Forward the items that do not fail, and answer for all items unless the fault prevents the response."""
        failing = {n for n, (name, _) in enumerate(actions) if name == BROKEN}
        if fault.startswith("items"):
            failing |= {n for n in range(len(actions)) if self.server.chance.random() < 0.5}
        passed = [lines for n, (_, lines) in enumerate(actions) if n not in failing]
        items: Iterator[Any] = iter(())
        if passed:
            status, text = self._forward(b"".join(passed))
            if status != 200:
                self._answer(status, text)
                return
            items = iter(json.loads(text)["items"])
        answer = {
            "items": [failure(actions[n][0], fault) if n in failing else next(items) for n in range(len(actions))]
        }
        text = json.dumps(answer).encode()
        if fault == "reset after applying":
            self._reset()
        elif fault == "cut off after applying":
            self._cut_off(text)
        else:
            if fault == "late after applying":
                time.sleep(2 * TIMEOUT)
            self._answer(200, b"<html>" if fault == "no JSON after applying" else text)

    def _hold(self, body: bytes, actions: list[tuple[str, bytes]], fault: str) -> None:
        busy = {"items": [failure(name, "items 429") for name, _ in actions]}
        answer = (200, json.dumps(busy).encode()) if fault == "refused late" else None
        if fault == "answered late":
            answer = self._forward(body)
        self.server.holding.set()
        self.server.going_on.wait()
        if fault == "lost":
            self._reset()
        else:
            self._answer(*(answer or self._forward(body)))
            self.wfile.flush()
        self.server.over.set()

    def _forward(self, body: bytes) -> tuple[int, bytes]:
        upstream = http.client.HTTPConnection(self.server.upstream.netloc, timeout=30)
        with contextlib.closing(upstream):
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            return answer.status, answer.read()

    def _answer(self, status: int, text: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _cut_off(self, text: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text[: len(text) // 2])
        self._reset()

    def _reset(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def failure(name: str, fault: str) -> dict[str, Any] | None:
    if fault == "items null" and name != BROKEN:
        return None
    status, kind = (500, "internal_error") if name == BROKEN else ERRORS[fault]
    return {"index": {"_id": name, "status": status, "error": {"type": kind, "reason": "made to fail"}}}


@contextmanager
def faulty(upstream: str, choose: Callable[[], str], chance: random.Random) -> Iterator[FaultyServer]:
    with serving(FaultyServer(upstream, choose, chance)) as server:
        yield server


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Run the server in its own thread until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
