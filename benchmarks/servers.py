"""The servers of the benchmarks: the embedded ones, and the real ones of the real test tier."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, Self

from infra.shim.embedded_servers import embedded_aws, embedded_search
from infra.shim.probes import free_port
from tests.real.servers import OPENSEARCH, dynamodb_local, search_server

EMBEDDED: Final = "embedded"
REAL: Final = "OpenSearch"

INDEX: Final = {
    "settings": {"index": {"number_of_shards": 1, "number_of_replicas": 0, "gc_deletes": "1h"}},
    "mappings": {"date_detection": False},
}
"""An index as streamdex creates it, with one shard for the single node."""


class Servers:
    """Servers that start at their first use and stop at the end of the block."""

    def __init__(self, real: bool):
        self.real = real
        self._running = ExitStack()
        self._found: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    @property
    def searches(self) -> tuple[str, ...]:
        """The names of the search servers."""
        return (EMBEDDED, REAL) if self.real else (EMBEDDED,)

    def search(self, name: str) -> str:
        """Return the address of a search server."""
        if name == EMBEDDED:
            return self._started(name, embedded_search(free_port()))
        return self._started(name, search_server(OPENSEARCH, heap="1g"))

    def fresh_search(self) -> str:
        """Start a new, empty embedded search server; return its address."""
        return str(self._running.enter_context(embedded_search(free_port())))

    @property
    def instant(self) -> str:
        """The address of a search server that accepts everything at once: see `answering`."""
        return self._started("instant", answering())

    @property
    def aws(self) -> str:
        """The address of DynamoDB with its streams: DynamoDB Local, or moto without the real servers."""
        return self._started("aws", dynamodb_local() if self.real else embedded_aws(free_port()))

    @property
    def embedded_aws(self) -> str:
        return self._started("moto", embedded_aws(free_port()))

    def _started(self, name: str, server: Any) -> str:
        if name not in self._found:
            self._found[name] = str(self._running.enter_context(server))
        return self._found[name]


@contextmanager
def answering() -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.answering"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def make_index(url: str, name: str) -> str:
    """Create an empty index of this name; return the name."""
    ask("DELETE", f"{url}/{name}")
    ask("PUT", f"{url}/{name}", INDEX)
    return name


def ask(method: str, url: str, body: Any = None) -> Any:
    """Send a request; return the response as JSON, or None after an error status."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        error.close()
        return None
