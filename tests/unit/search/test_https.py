"""Over HTTPS the direct requests trust whom opensearch-py trusts, and refuse whom it refuses."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from opensearchpy.exceptions import SSLError

from service.clients import make_opensearch, make_search_client
from service.settings import Settings

ALIASES = b'{"items-000001":{"aliases":{"items":{}}}}'


def certificate(folder: Path, host: str) -> Path:
    """A certificate that vouches for itself and names this address, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "streamdex test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{host}.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + made.public_bytes(Encoding.PEM))
    return file


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ALIASES)))
        self.end_headers()
        self.wfile.write(ALIASES)

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that does not trust us says so itself."""


class Secure:
    """A server on 127.0.0.1 whose certificate names `host`; `trust` is the file to trust it by."""

    def __init__(self, folder: Path, host: str):
        self.trust = certificate(folder, host)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.trust)
        self.server = Quiet(("127.0.0.1", 0), Answers)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(params=[make_search_client, make_opensearch], ids=["direct", "opensearch-py"])
def asking(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Asks for aliases with a client of some settings."""
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
