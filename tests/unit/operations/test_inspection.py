"""One record looked at closely: where two documents differ, and what goes wrong, in words."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from service.operations.inspection import ABSENT, Difference, differences

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
