"""Bulk requests: their size and content, and the lazy reading of responses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.clients.search.response_reader import read_answer
from service.pipeline.document_json import dump, path_of_no_number, surely_finite
from service.sinks.opensearch.bulk_body import BulkSize, chunks

LINES = [(number, b"%d" % number) for number in range(10)]


def test_a_request_keeps_to_the_limits_at_the_time_when_it_is_built():
    size = BulkSize(4, 1000)
    made = chunks(iter(LINES), size)
    assert next(made).positions == [0, 1, 2, 3]
    size.busy()
    assert next(made).positions == [4, 5]
    size.good()
    assert [(chunk.positions, chunk.more) for chunk in made] == [([6, 7, 8], True), ([9], False)]


ITEM = {"_index": "a", "_id": '"status": x', "_version": 3, "result": "updated", "_shards": {"total": 1}}


def answer(errors: bool, *statuses: int, **more: Any) -> str:
    items = [{"index": {**ITEM, "status": status}} for status in statuses]
    return json.dumps({"took": 3, **more, "errors": errors, "items": items}, separators=(",", ":"))


@pytest.mark.parametrize("more", [{}, {"ingest_took": 4}])
def test_an_answer_without_errors_tells_how_many_actions_there_were_and_is_read_when_looked_at(more):
    text = answer(False, 200, 201, 404, **more)
    found = read_answer(text)
    assert found["errors"] is False
    assert len(found["items"]) == 3
    assert "_items" not in vars(found["items"])
    assert list(found["items"]) == json.loads(text)["items"]


@pytest.mark.parametrize(
    "text",
    [answer(True, 200, 409), answer(False), '{"items":[]}', '{"took":1,"errors":false}', "[1]", '{"a":NaN}'],
)
def test_any_other_answer_is_read_whole(text):
    found, expected = read_answer(text), json.loads(text)
    if isinstance(expected, dict) and "items" in expected:
        found = {**found, "items": list(found["items"])}
        expected.pop("took", None), found.pop("took", None)
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("value", "sure"),
    [
        ({"a": [1, 1.5, None, True, "null", b"x", {"b": {}}]}, True),
        ({"a": float("nan")}, False),
        ({"a": [{"b": float("-inf")}]}, False),
        ({"a": (1.0,)}, False),
        ({"a": {1.0}}, False),
    ],
)
def test_a_document_with_null_is_looked_at_closely_only_where_it_may_hold_no_number(value, sure):
    assert surely_finite(value) is sure
    if sure:
        assert path_of_no_number(value) == ""
        assert b"null" in dump(value)


@pytest.mark.parametrize(
    "document",
    [
        {"a": None, "b": float("nan")},
        {"a": None, "b": [None, float("inf")]},
        {"a": {"b": None}, "c": None, "d": float("nan")},
        {"a": "null", "b": float("nan"), "c": None},
    ],
)
def test_a_null_of_its_own_hides_no_number_that_json_has_no_word_for(document):
    with pytest.raises(ValueError, match="is not a finite number"):
        dump(document)


@pytest.mark.parametrize("document", [{"a": None, "b": [1.5]}, {"a": "null", "b": None}, {"a": [None], "b": None}])
def test_a_null_of_its_own_is_written(document):
    assert json.loads(dump(document)) == document
