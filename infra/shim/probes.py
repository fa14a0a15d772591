"""Who answers at an address: asked before anything there is used."""

from __future__ import annotations

import contextlib
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from .settings import HOST

TIMEOUT = 5.0
"""Seconds."""

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def is_taken(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(TIMEOUT)
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def emulator_at(url: str) -> str:
    """The name of the AWS emulator at an address, in its own words; "" if what answers is not known as one."""
    health = _get(f"{url}/_localstack/health")
    if isinstance(health, Mapping) and "services" in health:
        ministack = _get(f"{url}/_ministack/health")
        return "MiniStack" if isinstance(ministack, Mapping) else f"LocalStack {health.get('version', '')}".strip()
    if "<title>Moto</title>" in str(_get(f"{url}/moto-api/")):
        return "moto"
    return "DynamoDB Local" if _is_dynamodb_local(url) else ""


def _is_dynamodb_local(url: str) -> bool:
    """It refuses a request without credentials in DynamoDB's words, and calls its region ddblocal."""
    request = urllib.request.Request(url, data=b"{}", method="POST")
    request.add_header("X-Amz-Target", "DynamoDB_20120810.DescribeEndpoints")
    request.add_header("Content-Type", "application/x-amz-json-1.0")
    credential = "Credential=probe/20260101/us-east-1/dynamodb/aws4_request"
    request.add_header("Authorization", f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0")
    try:
        with _DIRECT.open(request, timeout=TIMEOUT) as answer:
            text, server = answer.read(10_000).decode(errors="replace"), answer.headers.get("Server", "")
    except urllib.error.HTTPError as error:
        text, server = error.read(10_000).decode(errors="replace"), error.headers.get("Server", "")
    except (OSError, ValueError):
        return False
    return "Jetty" in server and "dynamodb" in text.lower()


def search_server_at(url: str) -> str:
    """The search server at an address: its product, version and cluster; "" if nothing of the kind answers."""
    root = _get(url)
    if not isinstance(root, Mapping) or not isinstance(root.get("version"), Mapping):
        return ""
    version = root["version"]
    product = "OpenSearch" if version.get("distribution") == "opensearch" else "Elasticsearch"
    return f"{product} {version.get('number', '')}, cluster {root.get('cluster_name', '?')!r}"


def _get(url: str) -> Any:
    """What a GET answers, as JSON where it is that, else as text; None without a good answer."""
    try:
        with _DIRECT.open(url, timeout=TIMEOUT) as answer:
            text = answer.read(200_000).decode(errors="replace")
    except (OSError, ValueError):
        return None
    with contextlib.suppress(ValueError):
        return json.loads(text)
    return text
