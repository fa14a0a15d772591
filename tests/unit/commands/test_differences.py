"""Differences between two mappings, and the exit codes for errors of the server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fakes import raising
from opensearchpy.exceptions import AuthorizationException, NotFoundError, RequestError, TransportError
from opensearchpy.exceptions import ConnectionError as Unreached

from service.commands.indices.differences import Cure, Difference, compare_mappings, put_back, same
from service.commands.indices.planning import plan
from service.commands.indices.server import Refused
from service.context import Context
from service.errors import Halt, Unreachable
from service.routing import IndexDeclaration


def fields(**definitions: Any) -> dict[str, Any]:
    return {"properties": definitions}


def compared(declared: Any, there: Any) -> list[tuple[str, str, str]]:
    return [(one.path, one.parameter, one.cure.value) for one in compare_mappings(declared, there)]


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), (1, "1"), (True, "true"), (["a"], "a"), ((1, 2), ["1", 2.0]), ({"a": 1}, {"a": "1"}), (0.5, "0.5")],
)
def test_values_that_a_server_writes_in_another_way_are_the_same(one, other):
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"), [(1, 2), (True, 1), (None, "None"), (None, ""), (["a", "b"], "a"), ({}, None)]
)
def test_values_that_are_not_the_same(one, other):
    assert not same(one, other)


def test_a_parameter_that_only_some_server_knows_is_compared_where_it_is_declared():
    shown = fields(a={"type": "odd", "mode": "on_disk"})
    assert compared(fields(a={"type": "odd"}), shown) == []
    assert compared(fields(a={"type": "odd", "mode": "on_disk"}), shown) == []
    assert compared(fields(a={"type": "odd", "mode": "in_memory"}), shown) == [("a", "mode", "rebuild")]
    assert compared(fields(a={"type": "odd", "mode": "x"}), fields(a={"type": "odd"})) == [
        ("a", "mode", "rebuild")
    ]


def test_another_type_is_told_once_and_not_with_all_that_follows_from_it():
    there = fields(a={"type": "text", "analyzer": "english", "fields": {"raw": {"type": "keyword"}}})
    assert compared(fields(a={"type": "long", "coerce": False}), there) == [("a", "type", "rebuild")]


def test_an_analyzer_for_searching_is_that_for_indexing_unless_it_is_said():
    there = fields(a={"type": "text", "analyzer": "english"})
    assert compared(fields(a={"type": "text", "analyzer": "english", "search_analyzer": "english"}), there) == []
    declared = fields(a={"type": "text", "analyzer": "english", "search_analyzer": "simple"})
    differing = [("a", "search_analyzer", "put"), ("a", "search_quote_analyzer", "put")]
    assert compared(declared, there) == differing[:1]
    assert (
        compared(fields(a={"type": "text", "analyzer": "english", "search_quote_analyzer": "x"}), there)
        == differing[1:]
    )


def test_a_default_that_a_put_does_not_bring_back_is_put_in_words():
    declared = fields(
        o={"properties": {"g": {"type": "geo_point"}}}, t={"type": "text", "fields": {"n": {"type": "long"}}}
    )
    there = fields(
        o={"properties": {"g": {"type": "geo_point", "ignore_malformed": True}}},
        t={"type": "text", "fields": {"n": {"type": "long", "coerce": False}}},
    )
    body = put_back(declared, compare_mappings(declared, there))
    assert body["properties"]["o"]["properties"]["g"] == {"type": "geo_point", "ignore_malformed": False}
    assert body["properties"]["t"]["fields"]["n"] == {"type": "long", "coerce": True}
    assert declared["properties"]["o"]["properties"]["g"] == {"type": "geo_point"}


def test_a_difference_holds_both_values():
    (found,) = compare_mappings(fields(a={"type": "keyword", "ignore_above": 9}), fields(a={"type": "keyword"}))
    assert found == Difference("field", "a", 2147483647, 9, Cure.PUT, "ignore_above")


def planned(error: Exception) -> Any:
    client = SimpleNamespace(indices=SimpleNamespace(get_alias=raising(error)))
    return plan(Context(search=client), IndexDeclaration("books"))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Unreached("N/A", "refused", Exception("refused")), Unreachable),
        (TransportError(503, "busy", {}), Unreachable),
        (TransportError(429, "busy", {}), Unreachable),
        (AuthorizationException(403, "security_exception", {}), Halt),
        (NotFoundError(404, "no handler", {}), Halt),
        (RequestError(400, "odd", {"error": {"type": "odd", "reason": "because"}}), Refused),
    ],
)
def test_what_the_server_says_instead_of_an_answer_has_its_exit_code(error, kind):
    with pytest.raises(kind) as caught:
        planned(error)
    assert type(caught.value) is kind


def test_a_refusal_is_told_in_the_server_s_words_alone():
    with pytest.raises(Refused, match=r"^because \(of this\)$"):
        planned(RequestError(400, "odd", {"error": {"reason": "because", "caused_by": {"reason": "of this"}}}))


def test_an_index_that_is_not_there_is_missing():
    client = SimpleNamespace(indices=SimpleNamespace(get_alias=lambda index: {}))
    assert plan(Context(search=client), IndexDeclaration("books")).state == "missing"
