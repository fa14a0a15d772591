"""The comparison of an expected document with the stored one."""

from __future__ import annotations

import json

import pytest
from builders import stream_record
from fakes import Items, records
from hypothesis import given
from hypothesis import strategies as st

from service.commands.comparison import ABSENT, Comparison, Difference, Match, Stored, differences
from service.commands.inspection import ask
from service.context import Context
from service.routing import Router, TableRoute

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def test_differences_are_named_by_path():
    wanted = {"a": 1, "b": {"c": [1], "d": [True]}, "gone": None}
    held = {"a": 1, "b": {"c": [2], "d": [1]}, "more": {"x": 1}}
    assert list(differences(wanted, held)) == [
        Difference("b.c", [1], [2]),
        Difference("b.d", [True], [1]),
        Difference("gone", None, ABSENT),
        Difference("more", ABSENT, {"x": 1}),
    ]


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_a_document_does_not_differ_from_itself(document):
    assert list(differences(document, document)) == []


@given(st.dictionaries(st.sampled_from("ab"), JSON), st.dictionaries(st.sampled_from("ab"), JSON))
def test_documents_differ_somewhere_just_where_their_json_does(one, other):
    assert bool(list(differences(one, other))) == (text(one) != text(other))


def text(document):
    return json.dumps(document, sort_keys=True)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        ([{"b": 1}], [{"b": 1.0}], True),
        (1, True, False),
        ([1, True], [1, 1], False),
        ("1", 1, False),
        ([{"b": 1}], [{"c": 1}], False),
        ({}, {"b": 1}, False),
    ],
)
def test_values_are_the_same_if_a_document_may_hold_either(one, other, same):
    assert (list(differences({"a": one}, {"a": other})) == []) is same


@pytest.mark.parametrize(
    ("expected", "stored", "match"),
    [
        (None, None, Match.SAME),
        ({"n": 1}, None, Match.MISSING),
        (None, {"n": 1}, Match.EXTRA),
        ({"n": 1}, {"n": 2}, Match.CHANGED),
        ({"n": 1}, {"n": 1, "made": 2}, Match.SAME),
    ],
)
def test_a_stored_document_matches_the_expected_one_or_how_it_does_not(expected, stored, match):
    assert Comparison(expected, Stored(5, stored), 5, ["made"]).match is match


@pytest.mark.parametrize(
    ("version", "stored", "older"),
    [(5, 6, True), (5, 5, False), (6, 5, False), (None, 5, False), (5, None, False)],
)
def test_an_expected_document_is_older_if_both_versions_say_so(version, stored, older):
    assert Comparison(None, Stored(stored), version).is_older is older


class Chunks(Items):
    document = TableRoute.document

    def documents_of(self, item):
        return {name: {"n": 1} for name in item["names"]}


def test_all_documents_of_an_item_are_inspected():
    images = {"old": {"id": "a", "names": ["x", "y"]}, "new": {"id": "a", "names": ["x"]}}
    (record,) = records(stream_record("MODIFY", **images))
    router = Router([Chunks()])
    asked = ask(router.bound[0], record, Context(), router)
    assert [(write.id, write.kind) for write in asked.writes] == [("a~/x", "Index"), ("a~/y", "Delete")]
    assert asked.problem == ""
