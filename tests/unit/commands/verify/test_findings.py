"""The kinds of differences that verify finds, and the ids that it has not seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.commands.comparison import Comparison, Difference, Stored, differences
from service.commands.verify import seen as seen_module
from service.commands.verify.findings import Kind, verdict_of, visible
from service.commands.verify.seen import Seen
from service.model.versions import stream_version

NOW = 1_700_000_000.0
READ = stream_version(NOW - 120, None)
EARLIER, LATER, TO_COME = (stream_version(NOW + seconds, 5) for seconds in (-500, -60, 500))
THIS, THAT = {"n": 1}, {"n": 2}


def verdict(wanted: Any, stored: Stored, versioned: bool = True, computed: Sequence[str] = ()) -> Any:
    """Return the kind, and the expected and the stored value of each field that differs, by path."""
    found = verdict_of(Comparison(wanted, stored, READ, computed), NOW, versioned)
    return found and (found[0], values_of(found[1]))


def values_of(fields: Iterable[Difference]) -> dict[str, tuple[Any, Any]]:
    return {one.path: (one.wanted, one.held) for one in fields}


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
    assert verdict(wanted, stored) == (None if kind is None else (kind, fields))


def test_without_versions_nothing_shows_which_is_older():
    assert verdict(THIS, Stored(7, THAT), versioned=False) == (Kind.DIFFERENT, {"n": (1, 2)})
    assert verdict(THIS, Stored(TO_COME, THIS), versioned=False) is None


@pytest.mark.parametrize(
    ("stored", "fields"),
    [({"n": 1, "v": [0.5]}, None), ({"n": 1}, None), ({"n": 2, "v": [0.5]}, {"n": (1, 2)})],
)
def test_computed_fields_are_no_difference(stored, fields):
    assert verdict(THIS, Stored(EARLIER, stored), computed=["v"]) == (fields and (Kind.STALE, fields))


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
    assert values_of(visible(differences(wanted, stored))) == fields


documents = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.dictionaries(st.text("xyz", min_size=1, max_size=2), inner, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(st.text("xyz", min_size=1, max_size=2), documents, max_size=4)


@given(bodies)
def test_a_document_does_not_differ_from_itself(body):
    assert not list(visible(differences(body, body)))


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
