"""Routes with an ingest pipeline on the real OpenSearch. A script stands for the embedding model."""

from __future__ import annotations

import pytest
import test_pipelines
from index_server import Server
from test_pipelines import *  # noqa: F403  # the same tests run on the embedded server
from test_pipelines import Place

from service.errors import Halt
from service.routing import PipelineDeclaration
from service.routing.pipeline_declarations import INGEST, SEARCH

SCRIPT = {"script": {"source": "ctx.embedding = ['vector': [ctx.title.length(), ctx.title.hashCode() % 97]]"}}


def test_documents_with_fields_of_a_script_are_verified_repaired_and_rebuilt(place: Place) -> None:
    test_pipelines.test_documents_are_written_verified_repaired_and_rebuilt_through_their_pipeline(place, SCRIPT)


def test_elasticsearch_has_ingest_pipelines_and_no_search_pipelines(elasticsearch_url: str) -> None:
    """This distribution of Elasticsearch has no processors."""
    server = Server(elasticsearch_url)
    ingest = PipelineDeclaration(INGEST, "empty", {"description": "does nothing", "processors": []})
    assert server.apply({}, pipelines=[ingest]).done
    search = PipelineDeclaration(SEARCH, "empty", {"request_processors": []})
    assert [one.words for one in server.plan({}, pipelines=[search]).pipelines] == [
        "search pipeline empty: missing"
    ]
    with pytest.raises(Halt, match="Elasticsearch has no search pipelines"):
        server.apply({}, pipelines=[search])
    server.context.close()
