"""Malformed answers of the search server: none counts as success, and the actions are retried."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bulk_client import Client, sink, write

from service.model.outcomes import Lasting
from service.pipeline import Outcome

OTHER_SHAPES: list[Any] = [{}, [], 7, "text", {"message": None}, {"items": None}, {"items": "ab"}, {"items": 2}]
OTHER_SHAPES += [{"items": {"a": 1, "b": 2}}, {"items": []}, {"items": [{"index": {"status": 200}}] * 3}]
OTHER_SHAPES += [{"errors": False, "items": [entry, entry]} for entry in (None, {}, "ab", 7, [], {"index": None})]


@pytest.mark.parametrize("answer", OTHER_SHAPES, ids=json.dumps)
def test_a_bulk_answer_of_another_shape_is_no_success_and_tried_again(answer):
    results = sink(Client(lambda ids: answer)).write([write("a"), write("b")])
    assert [(r.outcome, r.lasting) for r in results] == [(Outcome.RETRY, Lasting.HALT)] * 2
    assert all("search server's answer" in result.reason for result in results)


def test_an_action_that_is_answered_in_another_shape_is_tried_again_alone():
    entries = [{"index": {"status": 200}}, None, {"index": {"status": 201}}]
    results = sink(Client(lambda ids: {"items": entries})).write([write("a"), write("b"), write("c")])
    assert [r.outcome.name for r in results] == ["APPLIED", "RETRY", "APPLIED"]


ALIASES: list[Any] = [None, [], ["items"], "items", 7, {"message": None}, {"items-000001": None}]
ALIASES += [{"items-000001": {"aliases": value}} for value in (None, [], "items", {"items": None}, {"items": "x"})]
ALIASES += [{"items-000001": {}}, {"error": "x", "status": 404}]


@pytest.mark.parametrize("answer", ALIASES, ids=json.dumps)
def test_an_answer_about_aliases_of_another_shape_is_tried_again_and_nothing_is_created(answer, monkeypatch):
    client = Client()
    monkeypatch.setattr(client, "get_alias", lambda index: answer)
    (result,) = sink(client).write([write("a")])
    assert (result.outcome, result.status, result.lasting) == (Outcome.RETRY, None, Lasting.HALT)
    assert "search server's answer" in result.reason
    assert client.created == client.requests == []
