"""Writes to the indices of a pattern: their look-ups, their creation, its limit, and routing values."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from bulk_client import Client, write
from opensearchpy.exceptions import RequestError

from service import Delete
from service.context import Context
from service.errors import Halt
from service.pipeline import Outcome, Write
from service.routing import IndexDeclaration
from service.settings import Settings
from service.sinks.opensearch import SearchSink
from service.sinks.opensearch import alias_targets as targets
from service.sinks.opensearch.search_sink import SEEN_FOR

REVIEWS = IndexDeclaration("reviews-*", {"properties": {"n": {"type": "long"}}}, {"number_of_shards": 2}, ("all",))


class Server(Client):
    """A search client with indices, each with its aliases."""

    def __init__(self, *names: str, create=lambda: None, refuse=lambda ids: None):
        super().__init__(refuse, create=create)
        self.there: dict[str, dict[str, Any]] = {f"{name}-000001": {name: {}} for name in names}

    def get_alias(self, index: str) -> Any:
        self.looks.append(index)
        starts = tuple(pattern.removesuffix("*").partition("*")[0] for pattern in index.split(","))
        return {
            name: {"aliases": aliases}
            for name, aliases in self.there.items()
            if any(one.startswith(starts) for one in (name, *aliases))
        }

    def create(self, index: str, body: Any) -> None:
        super().create(index, body)
        self.there[index] = dict(body["aliases"])


def to(index: str, name: str = "a", **more: Any) -> Write:
    return replace(write(name), target=index, **more)


def sink(client: Client, clock: Any = None, **settings: Any) -> SearchSink:
    clocks = {"clock": clock} if clock else {}
    items = IndexDeclaration("items")
    context = Context(Settings(**settings), search=client)
    return SearchSink(context, {"reviews-*": REVIEWS, "items": items}, **clocks)


def metas(client: Client) -> list[dict[str, Any]]:
    lines = [json.loads(line) for body in client.bodies for line in body.splitlines()]
    return [meta for line in lines for meta in (line.get("index"), line.get("delete")) if meta]


def test_each_index_of_a_pattern_is_created_by_the_declaration_of_the_pattern_at_its_first_write():
    client = Server()
    writer = sink(client)
    writer.write([to("reviews-a"), to("reviews-b"), to("reviews-a", "b")])
    writer.write([to("reviews-b", "c")])
    assert [index for index, _ in client.created] == ["reviews-a-000001", "reviews-b-000001"]
    for index, body in client.created:
        assert body["aliases"] == {index.removesuffix("-000001"): {}, "all": {}}
        assert body["settings"]["index"]["number_of_shards"] == 2
        assert body["mappings"]["properties"] == {"n": {"type": "long"}}
    assert [(meta["_index"], meta["require_alias"]) for meta in metas(client)] == [
        ("reviews-a", True),
        ("reviews-b", True),
        ("reviews-a", True),
        ("reviews-b", True),
    ]


def test_one_request_reads_the_aliases_of_all_indices_of_a_pattern():
    names = [f"reviews-{number}" for number in range(100)]
    client = Server(*names)
    writer = sink(client)
    writer.write([to(name) for name in names])
    writer.write([to(name) for name in names])
    assert client.looks == ["reviews-*"]
    assert client.created == []


def test_a_pattern_with_an_ending_also_reads_the_aliases_that_mark_copies():
    client = Server("logs-a-x")
    declared = IndexDeclaration("logs-*-x")
    client.there["logs-a-x-000002"] = {"logs-a-x--new": {}, "logs-a-x--also": {}}
    found = SearchSink(Context(Settings(), search=client), {"logs-*-x": declared})
    assert found.write([to("logs-a-x")])[0].outcome is Outcome.APPLIED
    assert client.looks == ["logs-*-x*"]
    assert [meta["_index"] for meta in metas(client)] == ["logs-a-x-000001", "logs-a-x-000002"]


def test_beyond_the_limit_only_the_documents_of_further_indices_are_rejected():
    client = Server("reviews-a")
    writes = [to("reviews-a"), to("reviews-b"), to("reviews-c"), to("items"), to("reviews-c", action=Delete())]
    results = sink(client, max_indices=2).write(writes)
    refused, applied = Outcome.REJECTED, Outcome.APPLIED
    assert [one.outcome for one in results] == [applied, applied, refused, applied, refused]
    assert "has 2 indices of at most 2" in results[2].reason
    assert "indices apply --index=reviews-c" in results[2].reason
    assert "reviews-c" not in results[2].summary
    assert [index for index, _ in client.created] == ["items-000001", "reviews-b-000001"]


def test_an_index_beyond_the_limit_that_an_operator_created_is_written():
    client = Server("reviews-a", "reviews-b", "reviews-c")
    (result,) = sink(client, max_indices=2).write([to("reviews-c")])
    assert result.outcome is Outcome.APPLIED


def test_copies_and_replaced_indices_do_not_count():
    client = Server("reviews-a")
    client.there["reviews-a-000002"] = {"reviews-a--new": {}, "reviews-a--also": {}}
    client.there["reviews-a-000003"] = {"reviews-a--old": {}, "everything": {}}
    (result,) = sink(client, max_indices=2).write([to("reviews-b")])
    assert result.outcome is Outcome.APPLIED


def test_a_batch_with_nothing_but_refused_writes_sends_nothing():
    client = Server()
    results = sink(client, max_indices=0).write([to("reviews-a"), to("reviews-b")])
    assert [one.outcome for one in results] == [Outcome.REJECTED] * 2
    assert client.requests == []


def test_without_create_indices_a_missing_index_of_a_pattern_stops_nobody_else():
    client = Server("reviews-a")
    results = sink(client, create_indices=False).write([to("reviews-a"), to("reviews-b")])
    assert [one.outcome for one in results] == [Outcome.APPLIED, Outcome.REJECTED]
    assert "STREAMDEX_CREATE_INDICES=false" in results[1].reason
    assert client.created == []


@pytest.mark.parametrize("kind", ["invalid_index_name_exception", "invalid_alias_name_exception"])
def test_a_name_that_the_server_does_not_accept_stops_nobody_else(kind):
    def create():
        raise RequestError(400, kind, {"error": {"type": kind}})

    results = sink(Server("reviews-a", create=create)).write([to("reviews-a"), to("reviews-b")])
    assert [one.outcome for one in results] == [Outcome.APPLIED, Outcome.REJECTED]


def test_a_declaration_that_the_server_does_not_accept_halts():
    def create():
        raise RequestError(400, "mapper_parsing_exception", {"error": "no handler for type"})

    with pytest.raises(Halt, match="the index reviews-b cannot be created"):
        sink(Server(create=create)).write([to("reviews-b")])


def test_the_cache_of_targets_does_not_grow_with_the_names_in_records():
    now = [0.0]
    writer = sink(Server(), clock=lambda: now[0], max_indices=0)
    for number in range(100):
        writer.write([to(f"reviews-{number}")])
        now[0] += 1.0
    assert len(writer._targets._seen) <= SEEN_FOR + 1


def test_a_routing_value_is_in_the_line_of_its_action_and_nothing_of_it_in_others():
    client = Server("reviews-a")
    sink(client).write(
        [to("reviews-a", routing='a"b'), to("reviews-a", "b", action=Delete(), routing="c"), to("items")]
    )
    assert [meta.get("routing") for meta in metas(client)] == ['a"b', "c", None]
    assert client.bodies[0].count(b"routing") == 2


def test_a_pattern_counts_as_missing_if_it_has_no_index_at_first_or_loses_one():
    now = [0.0]
    client = Server()
    writer = sink(client, clock=lambda: now[0])

    def times() -> int:
        now[0] += 10.0
        return writer.absences({"reviews-*"})["reviews-*"]

    assert (times(), times()) == (1, 1)
    assert client.created == []  # only a write creates one
    client.there |= {"reviews-a-000001": {"reviews-a": {}}, "reviews-b-000001": {"reviews-b": {}}}
    assert times() == 1
    del client.there["reviews-a-000001"]
    assert (times(), times()) == (2, 2)
    client.there.clear()
    assert times() == 3


def test_a_pattern_with_indices_does_not_count_as_missing():
    writer = sink(Server("reviews-a"))
    assert writer.absences({"reviews-*"}) == {"reviews-*": 0}


def test_a_name_in_a_record_never_leads_through_an_alias_to_the_index_of_another_tenant():
    client = Server("reviews-a", "reviews-c")
    client.there["reviews-a-000001"] |= {"reviews-best": {}, "reviews-all": {}}
    client.there["reviews-c-000001"] |= {"reviews-all": {}}
    client.there["mine"] = {"reviews-b": {}}
    results = sink(client).write([to("reviews-a"), to("reviews-best"), to("reviews-all"), to("reviews-b")])
    assert [one.outcome for one in results] == [Outcome.APPLIED, *[Outcome.REJECTED] * 3]
    assert "the alias reviews-best leads to an index with another name: reviews-a-000001" in results[1].reason
    assert client.created == []


def test_an_index_of_a_pattern_without_a_single_write_index_stops_nobody_else():
    client = Server("reviews-a", "reviews-c")
    client.there["reviews-c-000002"] = {"reviews-c": {}}
    results = sink(client).write([to("reviews-a"), to("reviews-c")])
    assert [one.outcome for one in results] == [Outcome.APPLIED, Outcome.REJECTED]
    assert "no single write index" in results[1].reason


def test_other_aliases_of_an_index_are_no_indices_of_the_pattern():
    indices = {
        "reviews-a-1-000001": {"aliases": {"reviews-a-1": {}, "reviews-a": {}, "reviews-all": {}}},
        "reviews-a-2-000001": {"aliases": {"reviews-a-2": {}, "reviews-a": {}}},
        "reviews-a-2-000002": {"aliases": {"reviews-a-2--new": {}}},
        "reviews-plain": {"aliases": {}},
        "mine": {"aliases": {"reviews-b": {}}},
    }
    groups = targets.grouped("reviews-*", indices)
    assert targets.names_in(groups) == ["reviews-a-1", "reviews-a-2", "reviews-plain"]
    assert targets.target_of("reviews-a-2", groups["reviews-a-2"]).stale == ("reviews-a-2-000002",)
