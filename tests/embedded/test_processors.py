"""Ingest processors of the embedded server. tests/real runs the same tests on OpenSearch, to compare the two."""

from __future__ import annotations

from typing import Any

import pytest
from index_server import Server
from opensearchpy.exceptions import RequestError

from service.errors import Halt
from service.model.outcomes import Outcome
from service.routing import PipelineDeclaration
from service.routing.pipeline_declarations import INGEST
from service.sinks.opensearch.bulk_responses import result_of_item
from service.sinks.opensearch.pipelines import put_pipeline

DOCUMENT = {"t": "AbC", "n": 1, "f": 1.5, "l": ["X", "Y"], "mixed": ["X", 2], "o": {"a": "B"}, "null": None}

MADE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"set": {"field": "v", "value": [1, {"a": 2}]}}, {"v": [1, {"a": 2}]}),
    ({"set": {"field": "o.b.c", "value": 1}}, {"o": {"a": "B", "b": {"c": 1}}}),
    ({"set": {"field": "l.0", "value": "Q"}}, {"l": ["Q", "Y"]}),
    ({"set": {"field": "t", "value": "Q", "override": False}}, {}),
    ({"set": {"field": "null", "value": "Q", "override": False, "tag": "x", "description": "d"}}, {"null": "Q"}),
    ({"remove": {"field": "t"}}, {"t": ...}),
    ({"remove": {"field": ["t", "o.a"]}}, {"t": ..., "o": {}}),
    ({"remove": {"field": "l.0"}}, {"l": ["Y"]}),
    ({"remove": {"field": "nope", "ignore_missing": True}}, {}),
    ({"remove": {"field": "nope", "ignore_failure": True}}, {}),
    ({"rename": {"field": "t", "target_field": "o.u"}}, {"t": ..., "o": {"a": "B", "u": "AbC"}}),
    ({"rename": {"field": "nope", "target_field": "u", "ignore_missing": True}}, {}),
    ({"lowercase": {"field": "t"}}, {"t": "abc"}),
    ({"lowercase": {"field": "o.a", "target_field": "low"}}, {"low": "b"}),
    ({"lowercase": {"field": "l", "target_field": "low"}}, {"low": ["x", "y"]}),
    ({"lowercase": {"field": "null", "ignore_missing": True}}, {}),
    ({"append": {"field": "l", "value": ["Z", "X"]}}, {"l": ["X", "Y", "Z", "X"]}),
    ({"append": {"field": "t", "value": "Z"}}, {"t": ["AbC", "Z"]}),
    ({"append": {"field": "new", "value": "Z"}}, {"new": ["Z"]}),
]

FAILED = [
    ({"set": {"field": "n.b", "value": 1}}, "cannot set [b] with parent object of type [java.lang.Integer]"),
    (
        {"set": {"field": "l.5", "value": 1}},
        "[5] is out of bounds for array with length [2] as part of path [l.5]",
    ),
    ({"set": {"field": "null.b", "value": 1}}, "cannot set [b] with null parent as part of path [null.b]"),
    ({"remove": {"field": "nope"}}, "field [nope] doesn't exist"),
    ({"remove": {"field": "n.x"}}, "field [n.x] doesn't exist"),
    ({"rename": {"field": "nope", "target_field": "u"}}, "field [nope] doesn't exist"),
    ({"rename": {"field": "t", "target_field": "n"}}, "field [n] already exists"),
    ({"lowercase": {"field": "nope"}}, "field [nope] not present as part of path [nope]"),
    ({"lowercase": {"field": "f"}}, "field [f] of type [java.lang.Double] cannot be cast to [java.lang.String]"),
    (
        {"lowercase": {"field": "mixed"}},
        "value [2] of type [java.lang.Integer] in list field [mixed] cannot be cast",
    ),
    ({"lowercase": {"field": "null"}}, "field [null] is null, cannot process it."),
    (
        {"lowercase": {"field": "n.x"}},
        "cannot resolve [x] from object of type [java.lang.Integer] as part of path",
    ),
    ({"lowercase": {"field": "null.x"}}, "cannot resolve [x] from null as part of path [null.x]"),
    ({"lowercase": {"field": "l.x"}}, "[x] is not an integer, cannot be used as an index as part of path [l.x]"),
]


@pytest.fixture
def search_url(pipelines_url: str) -> str:
    return pipelines_url


class Piped:
    """A server with an index, and a pipeline of its own."""

    def __init__(self, server: Server):
        self.server = server
        self.name = f"pipeline-{server.name}"
        server.make(server.name, mappings={"dynamic": False})

    def put(self, *processors: Any) -> None:
        put_pipeline(self.server.context, PipelineDeclaration(INGEST, self.name, {"processors": list(processors)}))

    def write(self, pipeline: str = "") -> Any:
        """Write the document through the pipeline. Return the entry of the answer."""
        meta = {"_index": self.server.name, "_id": "1", "pipeline": pipeline or self.name}
        answer = self.server.context.search.bulk(body=[{"index": meta}, DOCUMENT])
        return answer["items"][0]

    def stored(self) -> Any:
        return self.server.context.search.get(index=self.server.name, id="1")["_source"]


@pytest.fixture
def piped(server: Server) -> Any:
    made = Piped(server)
    yield made
    server.context.search.ingest.delete_pipeline(id=made.name, ignore=404)


def test_each_processor_changes_a_document(piped: Piped):
    for processor, changes in MADE:
        piped.put(processor)
        assert piped.write()["index"]["status"] in (200, 201), processor
        expected = {name: value for name, value in {**DOCUMENT, **changes}.items() if value is not ...}
        assert piped.stored() == expected, processor


def test_processors_run_in_their_order(piped: Piped):
    piped.put({"lowercase": {"field": "t", "target_field": "v"}}, {"append": {"field": "v", "value": "d"}})
    piped.write()
    assert piped.stored() == {**DOCUMENT, "v": ["abc", "d"]}


def test_a_document_that_a_processor_refuses_is_rejected(piped: Piped):
    for processor, reason in FAILED:
        piped.put(processor)
        entry = piped.write()
        error = entry["index"]["error"]
        assert (entry["index"]["status"], error["type"]) == (400, "illegal_argument_exception"), processor
        assert error["reason"].startswith(reason), processor
        assert result_of_item(entry, piped.server.name).outcome is Outcome.REJECTED, processor


def test_other_documents_of_the_request_are_written(piped: Piped):
    piped.put({"lowercase": {"field": "t"}})
    meta = {"_index": piped.server.name, "pipeline": piped.name}
    lines: list[Any] = [{"index": {**meta, "_id": "1"}}, {"t": 1}, {"index": {**meta, "_id": "2"}}, {"t": "X"}]
    lines += [{"delete": {"_index": piped.server.name, "_id": "3"}}]
    answer = piped.server.context.search.bulk(body=lines)
    assert answer["errors"]
    assert [next(iter(entry.values()))["status"] for entry in answer["items"]] == [400, 201, 404]
    assert piped.server.context.search.get(index=piped.server.name, id="2")["_source"] == {"t": "x"}


def test_a_pipeline_that_does_not_exist_halts_and_the_message_has_the_remedy(piped: Piped):
    with pytest.raises(Halt, match=r"ingest pipeline gone does not exist: .*`python -m service indices apply`"):
        result_of_item(piped.write("gone"), piped.server.name)


def test_a_wrong_pipeline_is_refused(piped: Piped):
    wrong: list[tuple[Any, str]] = [
        ({"nope": {}}, "No processor type exists with name [nope]"),
        ({"set": {"value": 1}}, "[field] required property is missing"),
        ({"rename": {"field": "t"}}, "[target_field] required property is missing"),
        ({"set": 1}, "property isn't a map, but of type [java.lang.Integer]"),
    ]
    for processor, reason in wrong:
        with pytest.raises(RequestError) as raised:
            piped.put(processor)
        assert raised.value.info["error"]["reason"] == reason
