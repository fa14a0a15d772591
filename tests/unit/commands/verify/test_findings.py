"""The kinds of differences that verify finds, and the ids that it has not seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.commands.index_documents import Stored
from service.commands.verify import seen as seen_module
from service.commands.verify.findings import Kind, compare, differences
from service.commands.verify.seen import Seen
from service.model.versions import stream_version

NOW = 1_700_000_000.0
READ = stream_version(NOW - 120, None)
EARLIER, LATER, TO_COME = (stream_version(NOW + seconds, 5) for seconds in (-500, -60, 500))
THIS, THAT = {"n": 1}, {"n": 2}


@pytest.mark.parametrize(
    ("wanted", "stored", "kind", "fields"),
    [
        (None, Stored(), None, None),
        (THIS, Stored(EARLIER, THIS), None, None),
        (THIS, Stored(LATER, THIS), None, None),
        (THIS, Stored(), Kind.MISSING, {}),
        (None, Stored(EARLIER, THIS), Kind.ORPHAN, {}),
        (THIS, Stored(EARLIER, THAT), Kind.STALE, {"n": (1, 2)}),
        (THIS, Stored(LATER, THAT), Kind.AHEAD, {"n": (1, 2)}),
        (THIS, Stored(TO_COME, THIS), Kind.AHEAD, {}),
    ],
)
def test_a_document_is_compared_with_what_it_should_be(wanted, stored, kind, fields):
    found = compare(wanted, stored, READ, NOW, versioned=True)
    assert found == (None if kind is None else (kind, fields))


def test_without_versions_nothing_shows_which_is_older():
    assert compare(THIS, Stored(7, THAT), READ, NOW, versioned=False) == (Kind.DIFFERENT, {"n": (1, 2)})
    assert compare(THIS, Stored(TO_COME, THIS), READ, NOW, versioned=False) is None


@pytest.mark.parametrize(
    ("stored", "fields"),
    [({"n": 1, "v": [0.5]}, None), ({"n": 1}, None), ({"n": 2, "v": [0.5]}, {"n": (1, 2)})],
)
def test_computed_fields_are_no_difference(stored, fields):
    found = compare(THIS, Stored(EARLIER, stored), READ, NOW, versioned=True, computed=["v"])
    assert found == (fields and (Kind.STALE, fields))


@pytest.mark.parametrize(
    ("wanted", "stored", "fields"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a.c": (2, 3)}),
        ({"a": 1}, {"b": 1}, {"a": (1, None), "b": (None, 1)}),
        ({"a": [1, 2]}, {"a": [2, 1]}, {"a": ([1, 2], [2, 1])}),
        ({"a": {"b": 1}}, {"a": 1}, {"a": ({"b": 1}, 1)}),
        ({"a": True}, {"a": 1}, {"a": (True, 1)}),
        ({"a": 1.0}, {"a": 1}, {}),
        ({"a": None}, {}, {}),
    ],
)
def test_fields_that_differ_are_told_by_their_paths(wanted, stored, fields):
    assert dict(differences(wanted, stored)) == fields


documents = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.dictionaries(st.text("xyz", min_size=1, max_size=2), inner, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(st.text("xyz", min_size=1, max_size=2), documents, max_size=4)


@given(bodies)
def test_a_document_does_not_differ_from_itself(body):
    assert not dict(differences(body, body))


ids = st.lists(st.text("ab|~ü", max_size=12), max_size=40)


@given(items=ids, documents=ids)
def test_what_documents_have_and_items_have_not_is_told(items, documents):
    with Seen() as seen:
        seen.add(items)
        seen.add_others(documents)
        assert set(seen.only_others()) == set(documents) - set(items)


def test_what_does_not_fit_into_memory_is_on_disk_and_removed_at_the_end(monkeypatch):
    monkeypatch.setattr(seen_module, "HELD", 64)
    with Seen() as seen:
        seen.add(f"i{number}" for number in range(5000))
        seen.add_others(f"i{number}" for number in range(10, 5010))
        folder = seen._folder
        assert len(list(folder.iterdir())) > 256
        assert max(map(len, seen._parts)) <= 64
        assert set(seen.only_others()) == {f"i{number}" for number in range(5000, 5010)}
    assert not folder.exists()
