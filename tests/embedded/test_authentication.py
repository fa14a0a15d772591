"""The authentication of requests to the search server, for each kind of authentication in the settings."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any, Final

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from service.context import Context
from service.settings import Settings


class Recorder:
    """A search server that accepts every bulk request and records all requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                recorder.requests.append(
                    (self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                )
                answer = json.dumps({"items": [{"index": {"status": 200}}]}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


BODY = b'{"index":{"_index":"i","_id":"a"}}\n{}\n'


def send(**settings: Any) -> None:
    with Context(Settings(**settings)) as context:
        context.search.bulk(body=BODY)


def test_basic_authentication_sends_user_and_password(recorder: Recorder):
    send(search_url=recorder.url, search_auth="basic", search_user="me", search_password="hunter2")
    ((path, headers, body),) = recorder.requests
    assert path == "/_bulk"
    assert headers["authorization"] == "Basic " + base64.b64encode(b"me:hunter2").decode()
    assert body == BODY


def test_without_authentication_none_is_sent(recorder: Recorder):
    send(search_url=recorder.url)
    assert "authorization" not in recorder.requests[0][1]


@pytest.mark.parametrize("service", ["es", "aoss"])
def test_sigv4_signs_as_aws_does_for_domains_and_for_serverless_collections(recorder: Recorder, service):
    send(
        search_url=recorder.url,
        search_auth="sigv4",
        search_service=service,
        region="eu-west-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        aws_session_token="session",
    )
    ((path, headers, body),) = recorder.requests
    assert headers["x-amz-security-token"] == "session"
    assert f"/eu-west-1/{service}/aws4_request" in headers["authorization"]
    assert len(headers["x-amz-content-sha256"]) == 64  # serverless collections require this header
    assert headers["authorization"].rpartition("Signature=")[2] == expected(
        recorder.url + path, headers, body, service
    )


SIGNED: Final = {
    "search_auth": "sigv4",
    "region": "eu-west-1",
    "aws_access_key_id": "AKIDEXAMPLE",
    "aws_secret_access_key": "secret",
    "aws_session_token": "session",
}


def test_the_look_at_aliases_and_a_compressed_body_are_signed_as_they_are_sent(recorder: Recorder):
    with Context(Settings(search_url=recorder.url + "/search", search_compress=True, **SIGNED)) as context:
        context.search.indices.get_alias(index="images*,orders-*")
        context.search.bulk(body=BODY)
    (looked, wrote) = recorder.requests
    assert looked[0] == "/search/images*,orders-*/_alias"
    assert gzip.decompress(wrote[2]) == BODY
    for path, headers, body in (looked, wrote):
        assert headers["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest()
        signature = headers["authorization"].rpartition("Signature=")[2]
        assert signature == expected(recorder.url + path, headers, body, "es")


def test_credentials_that_botocore_finds_are_signed_with(recorder: Recorder, monkeypatch):
    for name, value in (("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    send(search_url=recorder.url, search_auth="sigv4", region="eu-west-1")
    ((path, headers, body),) = recorder.requests
    signature = headers["authorization"].rpartition("Signature=")[2]
    assert signature == expected(recorder.url + path, headers, body, "es")


def test_a_signed_request_needs_neither_boto3_nor_opensearch_py(recorder: Recorder):
    code = (
        "import sys\n"
        "from service.context import Context\n"
        "from service.settings import Settings\n"
        f"with Context(Settings(search_url={recorder.url!r}, **{SIGNED!r})) as context:\n"
        f"    context.search.bulk(body={BODY!r})\n"
        "print([name for name in ('boto3', 'botocore', 'opensearchpy') if name in sys.modules])\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
    assert len(recorder.requests) == 1


def expected(url: str, headers: dict[str, str], body: bytes, service: str) -> str:
    """Return the signature that botocore computes for the same headers at the same second."""
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest(
        "POST" if body else "GET", url, {name: headers[name] for name in signed if name != "host"}, body
    )
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", "secret", "session"), service, "eu-west-1")
    return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
