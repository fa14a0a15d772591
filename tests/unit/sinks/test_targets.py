"""The targets of an index name, read from the aliases of the server."""

from __future__ import annotations

import pytest

from service.errors import Halt
from service.sinks.opensearch.alias_targets import target_of


@pytest.mark.parametrize(
    ("index", "taken"),
    [
        ("books-000002", True),
        ("books-00002", False),
        ("books-20261122101500", False),
        ("books-archive", False),
        ("books-new-000002", False),
    ],
)
def test_an_index_behind_a_name_is_known_by_its_six_digits(index, taken):
    found = target_of("books", {index: {"aliases": {}}})
    assert found.taken == ((index,) if taken else ())
    assert found.next == ("books-000003" if taken else "books-000001")


def test_the_one_that_is_searched_is_told_from_its_copies():
    indices = {
        "books-000001": {"aliases": {"books--also": {}}},
        "books-000002": {"aliases": {"books": {}, "shelf": {}}},
    }
    found = target_of("books", indices)
    assert (found.live, found.also, found.is_alias) == ("books-000002", ("books-000001",), True)
    assert not target_of("books", {"books": {"aliases": {"shelf": {}}}}).is_alias


def test_an_alias_of_several_halts_unless_one_is_its_write_index():
    several = {name: {"aliases": {"books": {}}} for name in ("a", "b")}
    with pytest.raises(Halt, match="a, b"):
        target_of("books", several)
    several["b"]["aliases"]["books"] = {"is_write_index": True}
    assert target_of("books", several).live == "b"


def test_the_roles_of_the_indices_beside_the_one_that_is_searched():
    found = target_of(
        "books",
        {
            "books-000004": {"aliases": {"books": {}, "books-000002": {"is_write_index": False}}},
            "books-000003": {"aliases": {"books--old": {}}},
            "books-000005": {"aliases": {"books--new": {}, "books--also": {}}},
            "v1": {"aliases": {"books--old": {}, "books--also": {}}},
        },
    )
    assert (found.live, found.building, found.kept) == ("books-000004", ("books-000005",), ("v1",))
    assert (found.stale, found.old) == (("books-000003",), ("books-000003", "v1"))
    assert found.dropped == ("books-000002",)


def test_the_name_of_an_index_that_was_dropped_is_not_given_again():
    dropped = {"books": {}, "books-000007": {"is_write_index": False}}
    assert target_of("books", {"books-000001": {"aliases": dropped}}).next == "books-000008"
