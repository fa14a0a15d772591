"""Identify the server at an address before it is used."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

HOST = "127.0.0.1"
"""The embedded servers listen on this address only."""

TIMEOUT = 5.0
"""Seconds."""

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def is_taken(port: int) -> bool:
    """True if a process listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(TIMEOUT)
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """Return a port on which no process listens now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def emulator_at(url: str) -> str:
    """Return the name of the AWS emulator at an address; "" if the server is not a known emulator."""
    url = url.rstrip("/")
    health = _get(f"{url}/_localstack/health")
    if isinstance(health, Mapping) and "services" in health:
        ministack = _get(f"{url}/_ministack/health")
        return "MiniStack" if isinstance(ministack, Mapping) else f"LocalStack {health.get('version', '')}".strip()
    if "<title>Moto</title>" in str(_get(f"{url}/moto-api/")):
        return "moto"
    return "DynamoDB Local" if _is_dynamodb_local(url) else ""


def _is_dynamodb_local(url: str) -> bool:
    """True if the server is Jetty and refuses an invalid signature with a DynamoDB error."""
    request = _request(url, data=b"{}")
    request.add_header("X-Amz-Target", "DynamoDB_20120810.DescribeEndpoints")
    request.add_header("Content-Type", "application/x-amz-json-1.0")
    credential = "Credential=probe/20260101/us-east-1/dynamodb/aws4_request"
    request.add_header("Authorization", f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0")
    text, server = _send(request)
    return "Jetty" in server and "dynamodb" in text.lower()


def search_server_at(url: str) -> str:
    """Return product, version and cluster of the search server at an address; "" if there is none."""
    root = _get(url)
    if not isinstance(root, Mapping) or not isinstance(root.get("version"), Mapping):
        return ""
    version = root["version"]
    product = "OpenSearch" if version.get("distribution") == "opensearch" else "Elasticsearch"
    return f"{product} {version.get('number', '')}, cluster {root.get('cluster_name', '?')!r}"


def answers(url: str) -> bool:
    """True if a server listens at an address."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname, port), TIMEOUT).close()
    except OSError:
        return False
    return True


def put(url: str, body: Any) -> bool:
    """Send JSON with PUT. True if the response is a success with a body."""
    request = _request(url, data=json.dumps(body).encode())
    request.method = "PUT"
    request.add_header("Content-Type", "application/json")
    text, _ = _send(request, good=True)
    return bool(text)


def _get(url: str) -> Any:
    """Return the response to a GET, parsed if it is JSON, else as text; None without a successful response."""
    text, _ = _send(_request(url), good=True)
    with contextlib.suppress(ValueError):
        return json.loads(text)
    return text or None


def _request(url: str, data: bytes | None = None) -> urllib.request.Request:
    """Create a request. User and password of the address become a header, as in other clients."""
    parts = urlsplit(url)
    plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    request = urllib.request.Request(plain, data=data)
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
    return request


def _send(request: urllib.request.Request, good: bool = False) -> tuple[str, str]:
    """Return response text and server name; both "" without a response or, with `good`, after an error status."""
    try:
        with _DIRECT.open(request, timeout=TIMEOUT) as answer:
            return answer.read(200_000).decode(errors="replace"), answer.headers.get("Server", "")
    except urllib.error.HTTPError as error:
        with error:
            text = error.read(10_000).decode(errors="replace")
            return ("", "") if good else (text, error.headers.get("Server", ""))
    except (OSError, ValueError, http.client.HTTPException):
        return "", ""
