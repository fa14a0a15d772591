"""A search client that answers bulk requests, and a search sink that writes with it."""

from __future__ import annotations

import json
from typing import Any

from builders import stream_record
from fakes import records

from service import Index
from service.context import Context
from service.pipeline import Write
from service.routing import IndexDeclaration
from service.settings import Settings
from service.sinks.opensearch import SearchSink


class Client:
    """A search client that answers like OpenSearch. `refuse` gets the ids of a request. It may answer or raise."""

    def __init__(self, refuse=lambda ids: None, exists: bool = True, create=lambda: None):
        self.requests: list[list[str]] = []
        self.bodies: list[bytes] = []
        self.looks: list[str] = []
        self.created: list[tuple[str, Any]] = []
        self._refuse = refuse
        self.indices = self
        self._exists = exists
        self._create = create

    def get_alias(self, index: str) -> Any:
        self.looks.append(index)
        return {"items-000001": {"aliases": {"items": {}}}} if self._exists else {}

    def create(self, index: str, body: Any) -> None:
        self._create()
        self.created.append((index, body))

    def bulk(self, body: bytes) -> Any:
        metas = [line for line in map(json.loads, body.splitlines()) if set(line) & {"index", "delete"}]
        ids = [next(iter(meta.values()))["_id"] for meta in metas]
        self.requests.append(ids)
        self.bodies.append(body)
        answer = self._refuse(ids)
        return answer if answer is not None else {"items": [{"index": {"status": 200}} for _ in ids]}


def write(name: str, document: Any = None, action: Any = None) -> Write:
    (record,) = records(stream_record(new={"id": name}))
    return Write(record, action or Index(document or {"n": 1}), "items", name, 7)


def sink(client: Client, **settings: Any) -> SearchSink:
    items = IndexDeclaration("items", {"properties": {"n": {"type": "long"}}})
    return SearchSink(Context(Settings(**settings), search=client), {"items": items})
