"""The known errors of `search_errors.py`, as the real OpenSearch and Elasticsearch return them."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from deployments import ask, drop
from search_errors import ITEMS
from test_search_contract import Target

from service.errors import Halt
from service.model.outcomes import Lasting
from service.pipeline import Outcome, Result


@pytest.fixture(params=["opensearch", "elasticsearch"])
def search_url(request) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def target(search_url: str) -> Iterator[Target]:
    made = Target(search_url, create_indices=False)
    yield made
    made.context.close()
    drop(search_url, made.index)


@dataclass(frozen=True)
class Case:
    """An index, and a document that it answers with the error of a sample of `search_errors.py`."""

    index: dict[str, Any]
    document: dict[str, Any]


def mapped(**properties: Any) -> dict[str, Any]:
    return {"mappings": {"properties": properties}}


CASES = {
    "value": Case(mapped(n={"type": "long"}), {"n": "x"}),
    "object": Case(mapped(o={"properties": {}}), {"o": 1}),
    "metadata field": Case({}, {"_id": "x"}),
    "empty name": Case({}, {"": 1}),
    "strict": Case({"mappings": {"dynamic": "strict"}}, {"x": 1}),
    "immense term": Case(mapped(k={"type": "keyword"}), {"k": "x" * 40_000}),
    "field limit": Case({"settings": {"index.mapping.total_fields.limit": 2}}, {"a": 1, "b": 1, "c": 1}),
    "field name length": Case({"settings": {"index.mapping.field_name_length.limit": 5}}, {"longer": 1}),
    "missing pipeline": Case({"settings": {"index.default_pipeline": "nope"}}, {"a": 1}),
    "routing": Case({"mappings": {"_routing": {"required": True}}}, {"a": 1}),
    "nested documents": Case(
        {"settings": {"index.mapping.nested_objects.limit": 1}, **mapped(n={"type": "nested"})},
        {"n": [{"a": 1}, {"a": 2}]},
    ),
    "write block": Case({"settings": {"index.blocks.write": True}}, {"a": 1}),
}


def end_of(target: Target, *actions: Any) -> str:
    try:
        (result,) = target.write(*actions)
    except Halt:
        return "HALT"
    return result.outcome.name


@pytest.mark.parametrize("name", CASES)
def test_a_row_is_answered_so_and_ends_so(target: Target, name: str):
    case, sample = CASES[name], ITEMS[name]
    ask("PUT", f"{target.url}/{target.index}", case.index)
    assert end_of(target, ("a", 1, case.document)) == sample.ends
    line = json.dumps({"index": {"_index": target.index, "_id": "a"}})
    body = f"{line}\n{json.dumps(case.document)}\n".encode()
    answer = target.context.search.bulk(body=body)["items"][0]["index"]
    assert (answer["status"], answer["error"]["type"]) == (sample.status, sample.type)
    assert sample.reason.split("[")[0] in answer["error"]["reason"]


def test_two_documents_of_one_request_that_introduce_a_field_are_both_written_in_the_end(target: Target):
    """The race needs two shards. The test cannot force it, so it tries ten times."""
    races = 0
    for _ in range(10):
        drop(target.url, target.index)
        ask("PUT", f"{target.url}/{target.index}", {"settings": {"number_of_shards": 5}})
        actions = [(str(n), 1, {"price": n if n % 2 else n + 0.5}) for n in range(20)]
        results = dict(zip(actions_by_id(actions), target.write(*actions), strict=True))
        raced = [name for name, result in results.items() if is_race(result)]
        races += len(raced)
        assert {result.outcome for name, result in results.items() if name not in raced} == {Outcome.APPLIED}
        if raced:
            again = target.write(*(action for action in actions if action[0] in raced))
            assert {result.outcome for result in again} == {Outcome.APPLIED}
    assert races


def actions_by_id(actions: Any) -> list[str]:
    return [name for name, _, _ in actions]


def is_race(result: Result) -> bool:
    return result.outcome is Outcome.RETRY and result.lasting is Lasting.REJECT


@pytest.mark.parametrize("alias", [{}, {"is_write_index": False}])
def test_an_alias_without_a_write_index_halts(target: Target, alias: dict[str, Any]):
    names = [f"{target.index}-a", f"{target.index}-b"][: 1 if alias else 2]
    for name in names:
        ask("PUT", f"{target.url}/{name}", {"aliases": {target.index: alias}})
    try:
        with pytest.raises(Halt, match=target.index):
            target.write(("a", 1, {"n": 1}))
    finally:
        for name in names:
            ask("DELETE", f"{target.url}/{name}")


@pytest.fixture
def cluster(search_url: str) -> Iterator[Any]:
    """Yield a function that changes a setting of the whole cluster until the test ends."""
    names: list[str] = []

    def put(name: str, value: Any) -> None:
        names.append(name)
        ask("PUT", f"{search_url}/_cluster/settings", {"persistent": {name: value}})

    yield put
    for name in names:
        with suppress(urllib.error.HTTPError):
            ask("PUT", f"{search_url}/_cluster/settings", {"persistent": {name: None}})


@pytest.mark.parametrize("creates", [True, False])
def test_a_cluster_with_as_many_shards_as_it_may_have_halts(search_url: str, cluster: Any, creates: bool):
    other = Target(search_url, create_indices=True)
    other.write(("a", 1, {"n": 1}))
    cluster("cluster.max_shards_per_node", 1)
    target = Target(search_url, create_indices=creates)
    with pytest.raises(Halt, match=r"cluster\.max_shards_per_node"):
        target.write(("a", 1, {"n": 1}))
    for made in (other, target):
        made.context.close()
        drop(search_url, made.index)


def test_a_cluster_that_is_read_only_is_waited_for(search_url: str, cluster: Any):
    target = Target(search_url)
    target.write(("a", 1, {"n": 1}))
    cluster("cluster.blocks.read_only", True)
    (result,) = target.write(("a", 2, {"n": 2}))
    assert (result.outcome, result.lasting) == (Outcome.RETRY, None)
    cluster("cluster.blocks.read_only", None)
    assert target.write(("a", 2, {"n": 2}))[0].outcome is Outcome.APPLIED
    target.context.close()
    drop(search_url, target.index)


def test_a_cluster_that_creates_no_indices_for_now_is_waited_for(search_url: str, cluster: Any):
    try:
        cluster("cluster.blocks.create_index", True)
    except urllib.error.HTTPError:
        pytest.skip("Elasticsearch has no such setting")
    target = Target(search_url)
    (result,) = target.write(("a", 1, {"n": 1}))
    assert (result.outcome, result.lasting) == (Outcome.RETRY, None)
    cluster("cluster.blocks.create_index", None)
    assert target.write(("a", 1, {"n": 1}))[0].outcome is Outcome.APPLIED
    target.context.close()
    drop(search_url, target.index)


@pytest.mark.parametrize(("name", "version"), [("x" * 600, 1), ("a", -3), ("a", 2**63)])
def test_an_id_or_a_version_out_of_bounds_is_rejected_alone(search_url: str, name: str, version: int):
    target = Target(search_url)
    results = target.write(("b", 1, {"n": 1}), (name, version, {"n": 1}), ("c", 1, {"n": 1}))
    assert [result.outcome.name for result in results] == ["APPLIED", "REJECTED", "APPLIED"]
    target.context.close()
    drop(search_url, target.index)


def test_a_reason_does_not_repeat_the_password_that_the_server_was_sent(search_url: str):
    target = Target(search_url, search_auth="basic", search_user="me", search_password="sesame")
    document = {"n": {"x": 1}}
    (result,) = target.write(("a", 1, document))
    assert result.outcome is Outcome.REJECTED
    assert "authorization" not in result.reason.lower()
    assert "[Source" not in result.reason
    target.context.close()
    drop(search_url, target.index)


@pytest.mark.parametrize(("document", "ends"), [({"a": "x"}, "REJECTED"), ({"b": 1}, "REJECTED")])
def test_a_document_that_a_processor_refuses_is_rejected(opensearch_url: str, document: Any, ends: str):
    """The Elasticsearch distribution has no processors."""
    pipeline = f"{opensearch_url}/_ingest/pipeline/contract"
    ask("PUT", pipeline, {"processors": [{"convert": {"field": "a", "type": "integer"}}]})
    target = Target(opensearch_url, create_indices=False)
    ask("PUT", f"{opensearch_url}/{target.index}", {"settings": {"index.default_pipeline": "contract"}})
    assert end_of(target, ("a", 1, document)) == ends
    ask("PUT", pipeline, {"processors": [{"fail": {"message": "no"}}]})
    assert end_of(target, ("a", 1, document)) == "REJECTED"
    ask("PUT", pipeline, {"processors": [{"script": {"source": "ctx.x.y = 1"}}]})
    assert end_of(target, ("a", 1, document)) == "RETRY"
    target.context.close()
    drop(opensearch_url, target.index)
    ask("DELETE", pipeline)


def test_a_data_stream_halts(opensearch_url: str):
    """The Elasticsearch distribution has no data streams."""
    target = Target(opensearch_url, create_indices=False)
    template = f"{opensearch_url}/_index_template/{target.index}"
    ask("PUT", template, {"index_patterns": [target.index], "data_stream": {}, "priority": 500})
    ask("PUT", f"{opensearch_url}/_data_stream/{target.index}")
    with pytest.raises(Halt, match="data stream"):
        target.write(("a", 1, {"@timestamp": "2026-01-01"}))
    target.context.close()
    ask("DELETE", f"{opensearch_url}/_data_stream/{target.index}")
    ask("DELETE", template)
