"""The servers that are written to: the embedded one, and the real ones of the real tier."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, Self

from infra.shim.probes import free_port
from infra.shim.stand_ins import embedded_aws, embedded_search
from tests.real.servers import OPENSEARCH, dynamodb_local, search_server

EMBEDDED: Final = "embedded"
REAL: Final = "OpenSearch"

INDEX: Final = {
    "settings": {"index": {"number_of_shards": 1, "number_of_replicas": 0, "gc_deletes": "1h"}},
    "mappings": {"date_detection": False},
}
"""An index as ours makes one, of one shard on the one node that there is."""


class Servers:
    """Started when first asked for, stopped at the end."""

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
        """The address of a search server."""
        if name == EMBEDDED:
            return self._started(name, embedded_search(free_port()))
        return self._started(name, search_server(OPENSEARCH, heap="1g"))

    def fresh_search(self) -> str:
        """An embedded search server of its own, with nothing in it."""
        return str(self._running.enter_context(embedded_search(free_port())))

    @property
    def instant(self) -> str:
        """A search server that finds everything good at once: see `answering`."""
        return self._started("instant", answering())

    @property
    def aws(self) -> str:
        """DynamoDB with its streams: DynamoDB Local, or moto without the real servers."""
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
    """An empty index of this name; gives the name back."""
    ask("DELETE", f"{url}/{name}")
    ask("PUT", f"{url}/{name}", INDEX)
    return name


def ask(method: str, url: str, body: Any = None) -> Any:
    """The answer to a request, as JSON; None where it is refused."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        error.close()
        return None
