"""The creation of declared pipelines: before the first write, once, and again with a missing index."""

from __future__ import annotations

from typing import Any

import pytest
from bulk_client import Client, write
from opensearchpy.exceptions import NotFoundError, RequestError

from service.context import Context
from service.errors import Halt, UnexpectedAnswer
from service.routing import IndexDeclaration, PipelineDeclaration
from service.settings import Settings
from service.sinks.opensearch import SearchSink
from service.sinks.opensearch.pipelines import existing_pipeline

INGEST = PipelineDeclaration("ingest", "embed", {"processors": []})
SEARCH = PipelineDeclaration("search", "hybrid", {"request_processors": []})


class Server(Client):
    """A search client with pipelines. `log` has all requests that create or write something, in order."""

    def __init__(self, refusal: str = "", **options: Any):
        super().__init__(**options)
        self.log: list[str] = []
        self.asked: list[str] = []
        self.there: dict[str, Any] = {}
        self._refusal = refusal
        self.ingest = self.search_pipeline = self

    def get_pipeline(self, id: str) -> Any:
        self.asked.append(id)
        if id not in self.there:
            raise NotFoundError(404, "", {})
        return {id: self.there[id]}

    def put_pipeline(self, id: str, body: Any) -> None:
        if self._refusal:
            raise RequestError(400, self._refusal, {"error": {"type": self._refusal, "reason": "no"}})
        self.log.append(id)
        self.there[id] = body

    get, put = get_pipeline, put_pipeline

    def create(self, index: str, body: Any) -> None:
        self.log.append(index)
        super().create(index, body)

    def bulk(self, body: bytes) -> Any:
        self.log.append("bulk")
        return super().bulk(body)


def sink(server: Server, *pipelines: PipelineDeclaration, **settings: Any) -> SearchSink:
    declared = IndexDeclaration("items", pipelines=pipelines)
    return SearchSink(Context(Settings(**settings), search=server), {"items": declared}, clock=lambda: 0.0)


def test_pipelines_are_created_before_the_index_and_the_first_write():
    server = Server(exists=False)
    sink(server, INGEST, SEARCH).write([write("a")])
    assert server.log == ["embed", "hybrid", "items-000001", "bulk"]
    assert server.there == {"embed": INGEST.body, "hybrid": SEARCH.body}


def test_pipelines_of_an_existing_index_are_looked_for_once_and_kept_if_they_exist():
    server = Server()
    server.there["embed"] = {"processors": [{"set": {}}]}
    writer = sink(server, INGEST)
    writer.write([write("a")])
    writer._targets.forget()
    writer.write([write("b")])
    assert (server.log, server.asked, len(server.looks)) == (["bulk", "bulk"], ["embed"], 2)


def test_a_server_that_was_replaced_gets_the_pipelines_again():
    server = Server()
    writer = sink(server, INGEST)
    writer.write([write("a")])
    server.there.clear()
    server._exists = False
    writer._targets.forget()
    writer.write([write("b")])
    assert server.log == ["embed", "bulk", "embed", "items-000001", "bulk"]


def test_a_route_without_pipelines_asks_for_none():
    server = Server()
    sink(server).write([write("a")])
    assert (server.asked, server.log) == ([], ["bulk"])


def test_nothing_is_created_where_settings_forbid_it():
    server = Server()
    sink(server, INGEST, create_indices=False).write([write("a")])
    assert (server.asked, server.log) == ([], ["bulk"])


def test_a_pipeline_that_the_server_refuses_halts():
    with pytest.raises(Halt, match=r"a pipeline of index items cannot be created: .*parse_exception: no"):
        sink(Server("parse_exception"), INGEST).write([write("a")])


def test_a_server_without_search_pipelines_is_named_as_the_cause():
    with pytest.raises(
        Halt, match=r"search pipeline hybrid cannot be created: Elasticsearch has no search pipelines"
    ):
        sink(Server("invalid_index_name_exception"), SEARCH).write([write("a")])


@pytest.mark.parametrize("there", [[], None, "x"])
def test_an_answer_of_another_shape_is_an_unexpected_answer(there: Any):
    server = Server()
    server.there["embed"] = there
    with pytest.raises(UnexpectedAnswer):
        existing_pipeline(Context(Settings(), search=server), INGEST)
