"""The health checks: they report if a restart helps, and if the operator has to repair something."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from service.errors import Halt, SettingsError
from service.pipeline import Delivery, Lag, Report
from service.pipeline.workers import Worker
from service.retry_policy import RetryPolicy
from service.telemetry.metrics import Metrics
from service.web import server as serving_module
from service.web.auth import Auth
from service.web.endpoints import HEALTH, Pages
from service.web.health import Health
from service.web.server import CONNECTIONS, PAGE_THREADS, Serving


def worker(
    name: str = "table t", alive: bool = True, busy: float = 0.0, halted: str = "", trouble: str = ""
) -> Any:
    return SimpleNamespace(
        name=name,
        is_alive=lambda: alive,
        busy_for=lambda: busy,
        halted=halted,
        source=SimpleNamespace(name=name, trouble=trouble, lag=lambda: Lag(7.0 if name == "table t" else 0.0)),
    )


def asked(path: str, *workers: Any, method: str = "GET") -> tuple[int, Any]:
    """Return the status of a page and its JSON."""
    status, text = text_of(path, *workers, method=method)
    return status, json.loads(text) if text else None


def pages_of(*workers: Any, auth: Auth | None = None) -> Pages:
    """Return the pages without Flask."""
    return Pages(Health(workers, 300.0), Metrics(), auth or Auth("127.0.0.1"))


def text_of(path: str, *workers: Any, method: str = "GET") -> tuple[int, str]:
    return text_from(pages_of(*workers), path, {}, method)


def text_from(pages: Pages, path: str, headers: dict[str, str], method: str = "GET") -> tuple[int, str]:
    with Serving(pages, "127.0.0.1", 0, HEALTH) as serving:
        client = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=30)
        client.request(method, path, headers=headers)
        answer = client.getresponse()
        status, text = answer.status, answer.read().decode()
        client.close()
    return status, text


@pytest.mark.parametrize(
    ("one", "alive", "ready", "state", "reason"),
    [
        (worker(), 200, 200, "ok", ""),
        (worker(busy=299.0), 200, 200, "ok", ""),
        (worker(busy=301.0), 503, 503, "stuck", "one batch has been running for 301 s"),
        (worker(alive=False), 503, 503, "stopped", "the thread has ended"),
        (worker(halted="create the index"), 200, 503, "waiting", "create the index"),
        (worker(trouble="shard 1: no permission"), 200, 503, "waiting", "shard 1: no permission"),
    ],
)
def test_the_health_checks_tell_a_stuck_service_from_one_that_waits_for_the_operator(
    one, alive, ready, state, reason
):
    states, reasons = {"table t": state, "queue q": "ok"}, {"table t": reason, "queue q": ""}
    for path, status in (("/healthz", alive), ("/readyz?probe=1", ready)):
        wanted = {"ok": status == 200, "sources": states, "reasons": reasons}
        assert asked(path, one, worker("queue q")) == (status, wanted)


def test_a_source_with_several_threads_is_in_trouble_where_one_of_them_is():
    _, page = asked("/readyz", worker(), worker(halted="no"), worker())
    assert page["sources"] == {"table t": "waiting"}
    assert page["reasons"] == {"table t": "no"}


TOKEN = "a token of 16 characters"


@pytest.mark.parametrize(
    ("headers", "status", "reasons"),
    [
        ({}, 503, False),
        ({"Host": "10.0.3.7:8080"}, 503, False),
        ({"Host": "[fd00::7]:8080"}, 503, False),
        ({"Host": "search.internal"}, 503, False),
        ({"Host": "search.internal", "Authorization": f"Bearer {TOKEN}"}, 503, True),
        ({"Host": "rebound.example"}, 403, False),
        ({"Host": "rebound.example", "Authorization": f"Bearer {TOKEN}"}, 503, True),
        ({"Host": "rebound.example", "Authorization": "Bearer no"}, 403, False),
    ],
)
def test_a_caller_without_the_token_sees_states_and_no_words_of_errors(headers, status, reasons):
    reason = "User: arn:aws:iam::123456789012:user/ann is not authorized"
    pages = pages_of(worker(halted=reason), auth=Auth("0.0.0.0", ["search.internal"], TOKEN))
    for path in HEALTH[1:]:
        code, text = text_from(pages, path, headers)
        assert code == status
        assert ("waiting" in text) == (status != 403)
        assert ("ann" in text) == reasons


def test_another_page_is_not_there_and_names_those_that_are():
    assert asked("/else") == (404, {"pages": ["/healthz", "/readyz", "/metrics"]})


def test_without_flask_the_first_page_names_the_package_to_install():
    code = (
        "import sys; sys.modules['flask'] = None\n"
        "from types import SimpleNamespace\n"
        "from service.web.health import Health\n"
        "from service.web.endpoints import make_pages\n"
        "from service.settings import Settings\n"
        "from service.telemetry.metrics import Metrics\n"
        "pages = make_pages(SimpleNamespace(settings=Settings(), metrics=Metrics()), Health([], 1.0))\n"
        "for path in ('/', '/healthz', '/metrics'):\n"
        "    request = {'REQUEST_METHOD': 'GET', 'PATH_INFO': path, 'HTTP_HOST': 'localhost:8080'}\n"
        "    print(*pages(request, lambda status, headers: print(status)))\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.count("200 OK") == 3
    assert "pip install 'streamdex[operations]'" in answer.stdout


def test_the_metrics_are_a_page_with_each_source_once():
    status, text = text_of("/metrics", worker(), worker(), worker("queue q"))
    assert status == 200
    ages = [line for line in text.splitlines() if line.startswith("streamdex_unread_age_seconds{")]
    assert sorted(ages) == [
        'streamdex_unread_age_seconds{source="queue q"} 0.0',
        'streamdex_unread_age_seconds{source="table t"} 7.0',
    ]


def test_a_head_has_no_body():
    assert asked("/healthz", worker(), method="HEAD") == (200, None)


def test_a_port_that_is_in_use_is_an_error_with_the_remedy():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(SettingsError, match="STREAMDEX_PAGE_PORT"),
    ):
        Serving(pages_of(), "127.0.0.1", taken.getsockname()[1])


def test_the_pages_are_served_at_an_address_of_ipv6_too():
    try:
        serving = Serving(pages_of(auth=Auth("::1")), "::1", 0)
    except SettingsError:
        pytest.skip("this machine has no IPv6")
    with serving:
        client = http.client.HTTPConnection("::1", serving.port, timeout=5)
        client.request("GET", "/metrics")
        assert client.getresponse().status == 200
        client.close()


def test_a_client_that_sends_nothing_is_disconnected(monkeypatch, capfd):
    monkeypatch.setitem(serving_module.LIMITS, "channel_timeout", 0.2)
    monkeypatch.setitem(serving_module.LIMITS, "cleanup_interval", 0.1)
    with (
        Serving(pages_of(), "127.0.0.1", 0) as serving,
        socket.create_connection(("127.0.0.1", serving.port), timeout=30) as silent,
    ):
        assert silent.recv(1) == b""
    assert capfd.readouterr().err == ""


def is_answered(port: int, path: str) -> bool:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    client.request("GET", path)
    answer = client.getresponse()
    answer.read()
    client.close()
    return answer.status == 200


def test_a_thousand_slow_connections_cost_no_threads_and_few_files_and_the_health_checks_go_on():
    with Serving(pages_of(), "127.0.0.1", 0, HEALTH) as serving, ExitStack() as slow:
        threads = threading.active_count()
        for _ in range(3 * CONNECTIONS):
            one = slow.enter_context(socket.create_connection(("127.0.0.1", serving.port), timeout=30))
            one.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        assert is_answered(serving.port, "/healthz")
        assert threading.active_count() == threads
        assert len(serving._server.active_channels) <= CONNECTIONS


def test_pages_that_take_long_do_not_delay_the_health_checks():
    released = threading.Event()

    def application(environ: Any, start: Any) -> list[bytes]:
        if environ["PATH_INFO"] not in HEALTH:
            released.wait(30)
        start("200 OK", [("Content-Length", "0")])
        return []

    with Serving(application, "127.0.0.1", 0, HEALTH) as serving, ExitStack() as pages:
        for _ in range(2 * PAGE_THREADS):
            one = pages.enter_context(socket.create_connection(("127.0.0.1", serving.port), timeout=30))
            one.sendall(b"GET /search HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert [is_answered(serving.port, path) for path in HEALTH] == [True, True]
        assert not released.is_set()
        released.set()


class OneBatch:
    """A source of one batch. It calls `afterwards` once the batch is settled."""

    name, workers, trouble = "s", 1, ""

    def __init__(self, afterwards: Callable[[], None], prefetch: Callable[[], None] | None = None):
        self._afterwards = afterwards
        self._prefetch = prefetch

    def __iter__(self) -> Any:
        yield SimpleNamespace(delivery=Delivery([], "s", prefetch=self._prefetch), settle=lambda report: None)
        self._afterwards()


def working(afterwards: Callable[[], None], run: Callable[[Delivery], Report], **options: Any) -> Worker:
    return Worker(OneBatch(afterwards), SimpleNamespace(run=run), Event(), **options)


def test_a_worker_is_busy_while_a_batch_is_tried_and_not_after():
    now, busy = [0.0], []

    def run(delivery: Delivery) -> Report:
        now[0] += 7.0
        busy.append(made.busy_for())
        return Report([])

    def afterwards() -> None:
        now[0] += 100.0
        busy.append(made.busy_for())

    made = working(afterwards, run, clock=lambda: now[0])
    made.run()
    assert busy == [7.0, 0.0]


def test_a_worker_leaves_it_to_the_dispatcher_when_to_read_ahead():
    did: list[str] = []

    def run(delivery: Delivery) -> Report:
        assert delivery.prefetch is not None
        delivery.prefetch()
        did.append("dispatched")
        return Report([])

    source = OneBatch(lambda: did.append("settled"), lambda: did.append("read ahead"))
    Worker(source, SimpleNamespace(run=run), Event()).run()
    assert did == ["read ahead", "dispatched", "settled"]


def test_a_worker_says_why_it_halts_while_it_does():
    said, halts = [], [Halt("create the index")]

    def run(delivery: Delivery) -> Report:
        said.append(made.halted)
        if halts:
            raise halts.pop()
        return Report([])

    made = working(lambda: said.append(made.halted), run)
    made._pause._policy = RetryPolicy(shortest=0.001, longest=0.001)
    made.run()
    assert said == ["", "create the index", ""]


def test_a_worker_says_what_nobody_foresaw_until_it_goes_on():
    said, surprises = [], [RuntimeError("surprise")]

    def run(delivery: Delivery) -> Report:
        said.append(made.halted)
        if surprises:
            raise surprises.pop()
        return Report([])

    made = working(lambda: said.append(made.halted), run)
    made._pause._policy = RetryPolicy(shortest=0.001, longest=0.001)
    made.run()
    first, second, third = said
    assert (first, third) == ("", "")
    assert second.startswith("unexpected RuntimeError at test_health.py:")
    assert "surprise" not in second
