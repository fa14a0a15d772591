"""Connections of threads that write at the same time: each thread keeps one for all its requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Barrier, Thread
from typing import Any

import pytest

from service.clients.factories import make_aws_client, make_search_client
from service.settings import Settings

THREADS, REQUESTS = 24, 10
KEYS = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region": "eu-west-1"}


class Server(ThreadingHTTPServer):
    """A server that responds once every thread has sent a request, and counts the accepted connections."""

    daemon_threads = True
    request_queue_size = THREADS

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.accepted = 0
        self.all_ask = Barrier(THREADS, timeout=60)

    def get_request(self) -> Any:
        self.accepted += 1
        return super().get_request()


class Answers(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.all_ask.wait()
        text = json.dumps({"TableNames": []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@contextmanager
def searching(url: str, **settings: Any) -> Iterator[Callable[[], Any]]:
    client = make_search_client(Settings(search_url=url, **settings))
    yield lambda: client.transport.perform_request("GET", "/")
    client.close()


@contextmanager
def listing(url: str) -> Iterator[Callable[[], Any]]:
    client = make_aws_client(Settings(aws_endpoint_url=url, **KEYS), "dynamodb")
    yield client.list_tables
    client.close()


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(searching, id="search"),
        pytest.param(lambda url: searching(url, search_auth="sigv4", **KEYS), id="signed search"),
        pytest.param(listing, id="AWS"),
    ],
)
def test_each_thread_has_one_connection_for_all_its_requests(server, client):
    all_answered = Barrier(THREADS, timeout=60)

    def work() -> None:
        for _ in range(REQUESTS):
            ask()
            all_answered.wait()

    url = f"http://127.0.0.1:{server.server_port}"
    with client(url) as ask, ThreadPoolExecutor(THREADS) as pool:
        for worker in [pool.submit(work) for _ in range(THREADS)]:
            worker.result(60)
    assert server.accepted == THREADS
