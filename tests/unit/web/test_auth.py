"""Access to the page: requests of other sites are refused, and other machines need the token."""

from __future__ import annotations

import io
from typing import Any

import pytest

from service.errors import SettingsError
from service.telemetry.metrics import Metrics
from service.web.auth import COOKIE, Auth
from service.web.endpoints import Pages
from service.web.health import Health

TOKEN = "correct horse battery staple"
LINK = {"HTTP_SEC_FETCH_MODE": "navigate", "HTTP_SEC_FETCH_DEST": "document"}


def request(method: str = "GET", host: str = "127.0.0.1:8080", **headers: str) -> dict[str, Any]:
    named = {"HTTP_HOST": host} if host else {}
    return {"REQUEST_METHOD": method, "PATH_INFO": "/", "wsgi.input": io.BytesIO(), **named, **headers}


def status_of(auth: Auth, path: str, **headers: str) -> str:
    """Return the status of an endpoint without Flask."""
    sent: list[str] = []
    environ = request(**headers) | {"PATH_INFO": path}
    list(Pages(Health([], 1.0), Metrics(), auth)(environ, lambda status, _: sent.append(status)))
    return sent[0]


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "LOCALHOST", "127.0.0.1:9000"])
def test_the_names_of_this_machine_lead_here_also_through_a_tunnel(host):
    assert Auth("127.0.0.1").refusal(request(host=host)) == ""


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8080",
        "evil@localhost",
        "localhost/evil",
        "localhost:8080 evil",
        "192.168.1.7:8080",
        "",
    ],
)
def test_another_name_is_refused_whatever_address_it_leads_to(host):
    assert "STREAMDEX_PAGE_HOSTS" in Auth("127.0.0.1").refusal(request(host=host))


def test_the_names_of_a_deployment_lead_here_where_they_are_listed():
    auth = Auth("0.0.0.0", ["streamdex.example"], TOKEN)
    assert auth.refusal(request(host="streamdex.example")) == ""
    assert auth.refusal(request(host="Streamdex.Example:8443")) == ""
    assert auth.refusal(request(host="else.example"))
    assert Auth("10.0.0.7", token=TOKEN).refusal(request(host="10.0.0.7:8080")) == ""


@pytest.mark.parametrize(
    ("origin", "refused"),
    [
        ("http://127.0.0.1:8080", False),
        ("https://127.0.0.1:8080", False),  # a proxy in front terminates TLS
        ("http://127.0.0.1:3000", True),
        ("http://evil.example", True),
        ("null", True),
    ],
)
def test_what_another_origin_sends_is_refused(origin, refused):
    assert bool(Auth("127.0.0.1").refusal(request("POST", HTTP_ORIGIN=origin))) is refused


@pytest.mark.parametrize(
    ("method", "headers", "refused"),
    [
        ("GET", {"HTTP_SEC_FETCH_SITE": "none"}, False),
        ("POST", {"HTTP_SEC_FETCH_SITE": "same-origin"}, False),
        ("GET", {"HTTP_SEC_FETCH_SITE": "cross-site", **LINK}, False),
        ("GET", {"HTTP_SEC_FETCH_SITE": "same-site", **LINK}, False),
        ("POST", {"HTTP_SEC_FETCH_SITE": "cross-site", **LINK}, True),
        ("GET", {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_SEC_FETCH_MODE": "no-cors"}, True),
        ("GET", {"HTTP_SEC_FETCH_SITE": "same-site", "HTTP_SEC_FETCH_MODE": "no-cors"}, True),
        ("GET", {"HTTP_SEC_FETCH_SITE": "cross-site", **LINK, "HTTP_SEC_FETCH_DEST": "iframe"}, True),
        ("GET", {"HTTP_SEC_FETCH_SITE": "something new"}, True),
    ],
)
def test_another_site_may_have_links_to_pages_and_nothing_else(method, headers, refused):
    assert bool(Auth("127.0.0.1").refusal(request(method, **headers))) is refused


def test_on_this_machine_nothing_is_asked_unless_a_token_is_set():
    assert Auth("127.0.0.1").is_authenticated(request())
    assert Auth("localhost").is_authenticated(request())
    assert Auth("::1").is_authenticated(request())
    assert not Auth("127.0.0.1", token=TOKEN).is_authenticated(request())


def test_beyond_this_machine_nothing_is_shown_without_a_token():
    for host in ("0.0.0.0", "::", "", "10.0.0.7", "streamdex.example"):
        assert "STREAMDEX_PAGE_TOKEN" in Auth(host).refusal(request())
        assert not Auth(host).is_authenticated(request())


def test_the_token_is_accepted_as_a_bearer_token_under_any_host_name():
    auth = Auth("0.0.0.0", token=TOKEN)
    bearing = request(host="10.1.2.3:8080", HTTP_AUTHORIZATION=f"Bearer {TOKEN}")
    assert auth.refusal(bearing) == ""
    assert auth.is_authenticated(bearing)
    for wrong in ("Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"):
        assert auth.refusal(request(host="10.1.2.3:8080", HTTP_AUTHORIZATION=wrong))
        assert not auth.is_authenticated(request(HTTP_AUTHORIZATION=wrong))


def test_a_cookie_that_is_made_from_the_token_is_enough_and_is_not_the_token():
    auth = Auth("0.0.0.0", token=TOKEN)
    assert TOKEN not in auth.cookie
    assert auth.cookie != Auth("0.0.0.0", token=TOKEN + "!").cookie
    assert auth.is_authenticated(request(HTTP_COOKIE=f"other=1; {COOKIE}={auth.cookie}"))
    for wrong in (f"{COOKIE}=", f"{COOKIE}={TOKEN}", f"{COOKIE}={auth.cookie}0", f"{COOKIE}=\xe9", "=;;,=\x00"):
        assert not auth.is_authenticated(request(HTTP_COOKIE=wrong))


def test_without_a_token_no_cookie_opens_what_is_closed():
    auth = Auth("0.0.0.0")
    assert not auth.is_authenticated(request(HTTP_COOKIE=f"{COOKIE}={auth.cookie}"))
    assert not auth.is_token("")


def test_a_token_that_could_be_guessed_is_an_error_that_does_not_show_it():
    with pytest.raises(SettingsError, match="STREAMDEX_PAGE_TOKEN") as error:
        Auth("0.0.0.0", token="hunter2")
    assert "hunter2" not in str(error.value)


def test_health_needs_no_token_and_metrics_need_it():
    auth = Auth("0.0.0.0", token=TOKEN)
    for path in ("/healthz", "/readyz"):
        assert status_of(auth, path, host="10.1.2.3").startswith("200")
        assert status_of(Auth("0.0.0.0"), path, host="").startswith("200")
    assert status_of(auth, "/metrics").startswith("401")
    assert status_of(auth, "/metrics", host="10.1.2.3").startswith("403")
    assert status_of(auth, "/metrics", HTTP_AUTHORIZATION=f"bearer {TOKEN}", host="10.1.2.3").startswith("200")
    assert status_of(Auth("0.0.0.0"), "/metrics").startswith("403")
    assert status_of(Auth("127.0.0.1"), "/metrics").startswith("200")
    assert status_of(Auth("127.0.0.1"), "/metrics", host="evil.example").startswith("403")


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/else"])
def test_every_response_has_headers_against_other_sites(path):
    headers: dict[str, str] = {}
    pages = Pages(Health([], 1.0), Metrics(), Auth("localhost"))
    list(pages(request() | {"PATH_INFO": path}, lambda _, sent: headers.update(sent)))
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert not [name for name in headers if name.startswith("Access-Control")]
