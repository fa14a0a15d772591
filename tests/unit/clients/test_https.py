"""Direct requests over HTTPS: they accept and reject the same certificates as opensearch-py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opensearchpy.exceptions import SSLError
from secure import Secure

from service.clients.factories import make_opensearch, make_search_client
from service.settings import Settings


@pytest.fixture(params=[make_search_client, make_opensearch], ids=["direct", "opensearch-py"])
def asking(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Yield a function that requests aliases with a client of the given settings."""
    clients: list[Any] = []

    def ask(**settings: Any) -> Any:
        clients.append(request.param(Settings(**settings)))
        return clients[-1].indices.get_alias(index="items*")

    yield ask
    for client in clients:
        client.close()


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Secure]:
    made = Secure(tmp_path, "127.0.0.1")
    yield made
    made.close()


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[Secure]:
    made = Secure(tmp_path, "192.0.2.1")
    yield made
    made.close()


def test_a_server_is_trusted_by_the_authorities_that_are_set(secure: Secure, asking: Any):
    assert "items-000001" in asking(search_url=secure.url, search_ca_certs=str(secure.trust))


def test_one_that_nobody_vouches_for_is_refused(secure: Secure, asking: Any):
    with pytest.raises(SSLError, match="certificate verify failed"):
        asking(search_url=secure.url)


def test_one_whose_certificate_is_of_another_address_is_refused(impostor: Secure, asking: Any):
    with pytest.raises(SSLError):
        asking(search_url=impostor.url, search_ca_certs=str(impostor.trust))


def test_nobody_is_asked_to_vouch_where_certificates_are_not_verified(impostor: Secure, asking: Any):
    assert "items-000001" in asking(search_url=impostor.url, search_verify_certs=False)


def test_the_authorities_of_openssl_s_variable_are_trusted(
    secure: Secure, asking: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(secure.trust))
    assert "items-000001" in asking(search_url=secure.url)
