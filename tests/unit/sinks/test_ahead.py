"""The next bulk request is made while one waits for the server, and nothing else changes by that."""

from __future__ import annotations

import json
from threading import Event, get_ident
from typing import Any

import pytest

from service.search.serializer import AnswerReader
from service.sinks.search.ahead import ahead
from service.sinks.search.body import Chunk, chunks, dump
from service.sinks.search.pace import Pace
from service.sinks.search.values import path_of_no_number, surely_finite

LINES = [(number, b"%d" % number) for number in range(10)]


def sent(pace: Pace) -> list[list[int]]:
    return [chunk.positions for chunk in ahead(chunks(iter(LINES), pace))]


def test_the_requests_are_the_same_in_the_same_order():
    for most in (1, 3, 5, 10, 11):
        pace = Pace(most, 1000)
        assert sent(pace) == [chunk.positions for chunk in chunks(iter(LINES), pace)]


def test_the_next_request_is_made_while_the_one_before_is_sent():
    made = Event()

    def lines() -> Any:
        yield from LINES[:4]
        made.set()
        yield from LINES[4:]

    requests = ahead(chunks(lines(), Pace(2, 1000)))
    next(requests)
    assert made.wait(10)


def test_a_batch_of_one_request_needs_no_thread():
    threads = set()

    def lines() -> Any:
        for line in LINES:
            threads.add(get_ident())
            yield line

    assert len(list(ahead(chunks(lines(), Pace(10, 1000))))) == 1
    assert threads == {get_ident()}


def test_what_making_a_request_raises_is_raised_where_it_is_wanted():
    def lines() -> Any:
        yield from LINES[:3]
        raise RuntimeError("no more")

    requests = ahead(chunks(lines(), Pace(1, 1000)))
    assert [next(requests).positions for _ in range(2)] == [[0], [1]]
    with pytest.raises(RuntimeError, match="no more"):
        next(requests)


def test_a_request_that_was_made_before_the_pace_slowed_is_sent_in_parts():
    pace = Pace(8, 1000)
    (chunk,) = chunks(iter(LINES[:8]), pace)
    pace.busy()
    pace.busy()
    assert [part.positions for part in chunk.parts(pace)] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    pace.too_large(3)
    assert [part.positions for part in Chunk([0], [b"x" * 2000], 2000).parts(pace)] == [[0]]


ITEM = {"_index": "a", "_id": '"status": x', "_version": 3, "result": "updated", "_shards": {"total": 1}}


def answer(errors: bool, *statuses: int, **more: Any) -> str:
    items = [{"index": {**ITEM, "status": status}} for status in statuses]
    return json.dumps({"took": 3, **more, "errors": errors, "items": items}, separators=(",", ":"))


@pytest.mark.parametrize("more", [{}, {"ingest_took": 4}])
def test_an_answer_without_errors_tells_how_many_actions_there_were_and_is_read_when_looked_at(more):
    text = answer(False, 200, 201, 404, **more)
    found = AnswerReader().loads(text)
    assert found["errors"] is False
    assert len(found["items"]) == 3
    assert "_items" not in vars(found["items"])
    assert list(found["items"]) == json.loads(text)["items"]


@pytest.mark.parametrize(
    "text",
    [answer(True, 200, 409), answer(False), '{"items":[]}', '{"took":1,"errors":false}', "[1]", '{"a":NaN}'],
)
def test_any_other_answer_is_read_whole(text):
    found, expected = AnswerReader().loads(text), json.loads(text)
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
