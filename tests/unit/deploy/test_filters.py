"""Filters of event source mappings: they pass every record that a route accepts, and are as narrow as possible."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from builders import stream_record
from hypothesis import given
from hypothesis import strategies as st

from infra.deploy.filters import filters_of, rule_of
from service import Document, Item, TableRoute
from service.model import TableRecord
from service.routing.router import has_place


class Route(TableRoute):
    table: ClassVar = "things"
    key: ClassVar = {"PK": "S", "SK": "N"}
    index: ClassVar = "things"

    def document(self, item: Item) -> Document | None:
        return dict(item)


def where(**patterns: str) -> TableRoute:
    return type("Some", (Route,), {"where": patterns})()


def lets_through(filters: list[str], record: dict[str, Any]) -> bool:
    """Return the decision of Lambda ("Control which events Lambda sends to your function")."""
    return not filters or any(fits(json.loads(pattern), record) for pattern in filters)


def fits(pattern: Any, value: Any) -> bool:
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            name in value and fits(pattern[name], value[name]) for name in pattern
        )
    return any(value.startswith(r["prefix"]) if isinstance(r, dict) else value == r for r in pattern)


TEXTS = st.text("AB#*1", max_size=4)


@given(st.lists(st.dictionaries(st.sampled_from(["PK", "SK"]), TEXTS, max_size=2), min_size=1, max_size=7), TEXTS)
def test_every_record_that_a_route_wants_comes_through(patterns, partition):
    routes = [where(**some) for some in patterns]
    for number in (1, 11, 2):
        raw = stream_record(table="things", keys={"PK": partition, "SK": number})
        wanted = any(has_place(route, TableRecord(raw)) for route in routes)
        assert lets_through(filters_of(routes), raw) or not wanted


@pytest.mark.parametrize(
    ("pattern", "rule"),
    [
        ("USER#1", "USER#1"),
        ("USER#*", {"prefix": "USER#"}),
        ("*", None),
        ("*#PROFILE", None),
        ("USER#*#x", None),
        ("A*B*", None),
    ],
)
def test_a_rule_says_just_what_a_pattern_says_or_nothing(pattern, rule):
    assert rule_of(pattern) == rule


def test_kinds_of_items_of_one_table_are_alternatives():
    filters = filters_of([where(PK="USER#*"), where(PK="ORDER#*", SK="1")])
    assert [json.loads(one)["dynamodb"]["Keys"] for one in filters] == [
        {"PK": {"S": [{"prefix": "USER#"}]}},
        {"PK": {"S": [{"prefix": "ORDER#"}]}, "SK": {"N": ["1"]}},
    ]
    assert not lets_through(filters, stream_record(keys={"PK": "CART#1", "SK": 1}))


def test_a_route_for_all_items_leaves_no_filter():
    assert filters_of([where(PK="USER#*"), Route()]) == []


def test_more_filters_than_a_mapping_takes_are_none():
    assert len(filters_of([where(PK=f"{n}#*") for n in range(5)])) == 5
    assert filters_of([where(PK=f"{n}#*") for n in range(6)]) == []
    assert len(filters_of([where(PK="USER#*") for _ in range(6)])) == 1
