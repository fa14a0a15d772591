"""The requests of every batch, which go to the server directly and raise the same errors as opensearch-py."""

from __future__ import annotations

import base64
import gzip
import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as Unreached
from opensearchpy.exceptions import ConnectionTimeout, TransportError

from service.clients.factories import make_opensearch, make_search_client
from service.clients.search import SearchClient
from service.errors import UnexpectedAnswer
from service.settings import Settings

GOOD = json.dumps({"took": 1, "errors": False, "items": [{"index": {"status": 201}}]}, separators=(",", ":"))


class Server(ThreadingHTTPServer):
    """A server that gives the same response to every request, and keeps the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.status, self.text, self.kind = 200, GOOD, "application/json; charset=UTF-8"
        self.asked: list[tuple[str, str, Any, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, status: int, text: str, kind: str = "application/json") -> None:
        self.status, self.text, self.kind = status, text, kind


class Answers(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append((self.command, self.path, self.headers, body))
        text = self.server.text.encode()
        self.send_response(self.server.status)
        self.send_header("content-type", self.server.kind)
        self.send_header("content-length", str(len(text)))
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


def client_of(server: Server, path: str = "", **settings: Any) -> Any:
    return make_search_client(Settings(search_url=server.url + path, **settings))


def raised(call: Any) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # the caller checks the type
        call()
    return caught.value


def test_a_bulk_request_is_posted_as_it_is_below_the_path_of_the_address(server):
    answer = client_of(server, "/search/").bulk(body=b'{"delete":{}}\n')
    ((method, path, headers, body),) = server.asked
    assert (method, path, body) == ("POST", "/search/_bulk", b'{"delete":{}}\n')
    assert headers["content-type"] == "application/json"
    assert answer["errors"] is False
    assert len(answer["items"]) == 1


@pytest.mark.parametrize("body", [b'{"delete":{}}\n', [{"delete": {"_id": "a"}}]])
def test_a_bulk_request_with_more_to_say_is_sent_as_opensearch_py_sends_it(server, body):
    more = {"index": "items", "params": {"refresh": "true"}}
    client_of(server).bulk(body=body, **more)
    make_opensearch(Settings(search_url=server.url)).bulk(body=body, **more)
    (method, path, _, sent), theirs = server.asked
    assert (method, path, sent) == (theirs[0], theirs[1], theirs[3])
    assert path == "/items/_bulk?refresh=true"


def test_the_user_and_the_password_of_the_settings_are_sent(server):
    client_of(server, search_auth="basic", search_user="u", search_password="p").bulk(body=b"\n")
    assert server.asked[0][2]["authorization"] == "Basic " + base64.b64encode(b"u:p").decode()


def test_bodies_are_gzipped_where_that_is_set_and_what_has_none_is_not(server):
    client = client_of(server, search_compress=True)
    client.bulk(body=b'{"delete":{}}\n' * 50)
    client.indices.get_alias(index="items*")
    (_, _, headers, body), (_, _, without, _) = server.asked
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == b'{"delete":{}}\n' * 50
    assert "content-encoding" not in without


def opensearch_of(server: Server) -> Any:
    """Return opensearch-py's client as the service makes it."""
    return make_opensearch(Settings(search_url=server.url))


CLIENTS = (client_of, opensearch_of)


@pytest.mark.parametrize("index", ["items*", "items*,users*"])
def test_aliases_are_asked_for_as_opensearch_py_asks(server, index):
    server.answer(200, '{"items-000001":{"aliases":{"items":{}}}}')
    found = client_of(server).indices.get_alias(index=index)
    assert found == make_opensearch(Settings(search_url=server.url)).indices.get_alias(index=index)
    assert server.asked[0][:2] == server.asked[1][:2]


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (400, '{"error":{"type":"illegal_argument_exception","reason":"no"},"status":400}', "application/json"),
        (401, "Unauthorized", "text/plain"),
        (403, '{"error":{"type":"cluster_block_exception"}}', "application/json; charset=UTF-8"),
        (404, '{"error":"alias [x] missing","status":404}', "application/json"),
        (409, "{}", "application/json"),
        (413, "", "text/plain"),
        (429, "busy", "text/html"),
        (500, "no json", "application/json"),
        (503, "[]", "text/plain"),
        (302, "elsewhere", "text/plain"),
    ],
)
def test_a_request_that_is_refused_raises_what_opensearch_py_raises(server, status, text, kind):
    server.answer(status, text, kind)
    theirs = raised(lambda: OpenSearch(hosts=[server.url], max_retries=0).bulk(body=b"\n"))
    for make in CLIENTS:
        ours = raised(lambda make=make: make(server).bulk(body=b"\n"))
        assert type(ours) is type(theirs)
        assert isinstance(ours, TransportError)
        assert ours.args == theirs.args


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize(
    "text", ["[]", "[1]", '"text"', "7", "null", "{", '{"error":[]}', '{"error":{"type":[]}}']
)
def test_a_request_that_is_refused_with_other_json_raises_an_error_with_its_status(server, make, text):
    server.answer(400, text, "application/json")
    error = raised(lambda: make(server).bulk(body=b"\n"))
    assert isinstance(error, TransportError)
    assert error.status_code == 400


def test_a_request_is_sent_once_whatever_comes_of_it(server):
    server.answer(503, "")
    raised(lambda: client_of(server).bulk(body=b"\n"))
    assert len(server.asked) == 1


@pytest.mark.parametrize("text", ["<html>", "[" * 100_000, '{"took":1,"errors":false,"items":[{"status":'])
@pytest.mark.parametrize("make", CLIENTS)
def test_what_is_no_json_is_an_unexpected_answer(server, make, text):
    server.answer(200, text, "application/json")
    assert isinstance(raised(lambda: make(server).bulk(body=b"\n")), UnexpectedAnswer)


def test_a_server_that_is_not_there_is_not_reached():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    error = raised(lambda: make_search_client(Settings(search_url=url)).bulk(body=b"\n"))
    assert isinstance(error, Unreached)


def test_a_server_that_is_silent_is_a_time_out():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings = Settings(search_url=f"http://127.0.0.1:{silent.getsockname()[1]}", search_timeout=0.2)
        assert isinstance(raised(lambda: make_search_client(settings).bulk(body=b"\n")), ConnectionTimeout)


def test_everything_else_is_opensearch_pys_client_made_once(server):
    client = client_of(server)
    assert isinstance(client.whole, OpenSearch)
    assert client.whole is client.whole
    assert client.transport is client.whole.transport
    server.answer(200, '{"count":3}')
    assert client.count(index="items") == {"count": 3}
    assert client.indices.get_settings(index="items") == {"count": 3}
    client.close()


@pytest.mark.parametrize("url", ["http://user:word@127.0.0.1:9", "http://127.0.0.1:9/?a=b"])
def test_an_address_with_more_than_a_server_and_a_path_is_opensearch_pys_to_read(url):
    assert isinstance(make_search_client(Settings(search_url=url)), OpenSearch)


def test_the_others_go_directly(server):
    assert isinstance(client_of(server), SearchClient)
