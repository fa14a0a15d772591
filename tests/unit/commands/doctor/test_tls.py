"""Findings about http:// for a server that speaks TLS, and https:// for one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from planted import NOW, Clinic
from secure import Secure

from service.commands.doctor import DoctorContext, Finding, diagnose
from service.commands.doctor.server import is_plain, speaks_tls
from service.context import Context


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Any]:
    """Yield a function that starts a server, secure or not, and returns its host and port."""
    servers: list[Secure] = []

    def serve(secure: bool) -> str:
        servers.append(Secure(tmp_path, "127.0.0.1", secure))
        return servers[-1].url.partition("://")[2]

    yield serve
    for server in servers:
        server.close()


def found_at(clinic: Clinic, url: str) -> Finding:
    """Return the only finding with a search client that the service makes."""
    clinic.change(search_url=url)
    with Context(clinic.settings, **vars(clinic.clients)) as context:
        (found,) = list(diagnose(DoctorContext(context, clinic.router, lambda: NOW)))
    return found


def test_https_to_a_plain_port_is_named_as_such(clinic: Clinic, served):
    found = found_at(clinic, f"https://{served(False)}")
    assert found.problem == "it speaks plain HTTP, but SEARCH_URL begins with https://"
    assert "use http:// in SEARCH_URL" in found.remedy
    assert "certificate" not in found.problem + found.remedy


def test_http_to_a_port_with_tls_is_named_as_such(clinic: Clinic, served):
    found = found_at(clinic, f"http://{served(True)}")
    assert found.problem == "it speaks TLS, but SEARCH_URL begins with http://"
    assert "use https:// in SEARCH_URL" in found.remedy


def test_a_certificate_that_nobody_vouches_for_is_still_named(clinic: Clinic, served):
    found = found_at(clinic, f"https://{served(True)}")
    assert "its certificate is not trusted" in found.problem
    assert "SEARCH_CA_CERTS" in found.remedy


def test_a_proxy_that_says_itself_that_it_speaks_tls_is_believed_after_a_look(clinic: Clinic, served):
    address = f"http://{served(True)}"
    clinic.change(search_url=address)
    clinic.search.answers["/"] = "<html>400 The plain HTTP request was sent to HTTPS port</html>"
    clinic.search.statuses["GET /"] = 400
    (found,) = clinic.findings()
    assert found.problem == "it speaks TLS, but SEARCH_URL begins with http://"
    clinic.change(search_url=f"http://{served(False)}")
    (found,) = clinic.findings()
    assert "not an OpenSearch" in found.problem


def test_whether_a_server_speaks_tls_is_seen_by_a_handshake(served):
    assert speaks_tls(f"http://{served(True)}")
    assert not speaks_tls(f"https://{served(False)}")
    for url in ("http://127.0.0.1:1", "http://", "http://127.0.0.1:99999"):
        assert not speaks_tls(url)


@pytest.mark.parametrize(
    ("error", "plain"),
    [
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)", True),
        ("[SSL: RECORD_LAYER_FAILURE] record layer failure (_ssl.c:1032)", True),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate", False),
        ("[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version", False),
    ],
)
def test_errors_of_openssl_are_told_apart(error, plain):
    assert is_plain(error) == plain
