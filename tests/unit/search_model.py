"""A model of the search client: bulk requests with OpenSearch's rules for external_gte, and its faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from opensearchpy.exceptions import AuthenticationException, ConnectionTimeout, TransportError

REFUSALS = {
    "503": TransportError(503, "unavailable", "busy"),
    "401": AuthenticationException(401, "unauthorized", "who?"),
}
SEARCH_FAULTS = (*REFUSALS, "items 429", "timeout after applying")


def parse(body: bytes) -> list[tuple[str, bytes]]:
    """Return the actions of a bulk body as (id, lines)."""
    actions, lines = [], iter(body.splitlines(keepends=True))
    for line in lines:
        ((kind, meta),) = json.loads(line).items()
        actions.append((meta["_id"], line if kind == "delete" else line + next(lines)))
    return actions


class SearchModel:
    """A fake of opensearch-py's client. `choose` names the fault of each request, or "" for none."""

    def __init__(self, choose: Callable[[], str] = lambda: ""):
        self.choose = choose
        self.documents: dict[str, Any] = {}
        self.versions: dict[str, int] = {}
        self.seen: dict[str, list[Any]] = {}
        """All states of each document in order. None is a deletion."""
        self.indices = SimpleNamespace(get_alias=lambda index: {index.rstrip("*"): {"aliases": {}}})

    def bulk(self, body: bytes) -> Any:
        fault = self.choose()
        if fault in REFUSALS:
            raise REFUSALS[fault]
        answers = [
            self._busy() if fault == "items 429" and number % 2 else self._apply(lines)
            for number, (_, lines) in enumerate(parse(body))
        ]
        if fault == "timeout after applying":
            raise ConnectionTimeout("TIMEOUT", "no answer", TimeoutError())
        return {"items": answers}

    def close(self) -> None:
        pass

    def _busy(self) -> Any:
        return {"index": {"status": 429, "error": {"type": "rejected_execution_exception", "reason": "busy"}}}

    def _apply(self, lines: bytes) -> Any:
        head, _, rest = lines.partition(b"\n")
        ((kind, meta),) = json.loads(head).items()
        name, version = meta["_id"], meta["version"]
        tied = meta["version_type"] == "external" and version == self.versions.get(name)
        if version < self.versions.get(name, 0) or tied:
            reason = f"version conflict, current version [{self.versions[name]}] is higher"
            return {
                kind: {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": reason}}
            }
        self.versions[name] = version
        self.seen.setdefault(name, []).append(json.loads(rest) if kind == "index" else None)
        if kind == "index":
            self.documents[name] = json.loads(rest)
            return {kind: {"status": 200}}
        there = self.documents.pop(name, None)
        return {kind: {"status": 200 if there else 404, "result": "deleted" if there else "not_found"}}
