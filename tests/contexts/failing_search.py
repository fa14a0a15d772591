"""A search server that answers each request with an error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from opensearchpy.exceptions import TransportError

from service import Context


class FailingSearch:
    """A fake of opensearch-py's client. `requests` counts the bulk requests."""

    def __init__(self, status: int):
        self.requests = 0
        self.indices = SimpleNamespace(
            get_alias=lambda index: {"items-000001": {"aliases": {index.rstrip("*"): {}}}}
        )
        self._status = status

    def bulk(self, body: bytes) -> Any:
        self.requests += 1
        raise TransportError(self._status, "unavailable", "it has no room")


def failing_search(status: int = 503) -> Context:
    return Context(search=FailingSearch(status))
