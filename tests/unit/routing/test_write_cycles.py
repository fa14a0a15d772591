"""Write cycles: routes that trigger themselves are rejected, unless one of them allows it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from service.errors import DeclarationError
from service.routing import BucketRoute, Names, PutItem, Router, TableRoute


def route(name: str, reads: str, writes: str, **declared: Any) -> TableRoute:
    """Return a route from one table to another."""

    def insert(self, record, context):
        return [PutItem({})]

    attributes = {"table": reads, "key": {"id": "S"}, "writes": {"table": writes}, "insert": insert, **declared}
    return type(name, (TableRoute,), attributes)()


def refusal(*routes: Any, **options: Any) -> str:
    with pytest.raises(DeclarationError) as refused:
        Router(routes, **options)
    return str(refused.value)


def test_a_route_that_writes_the_table_that_it_reads_is_refused_with_the_remedy():
    words = refusal(route("Totals", "orders", "orders"))
    assert "test_write_cycles:Totals reads table 'orders' and writes 'orders'" in words
    assert "cycle: ClassVar = True" in words


def test_a_cycle_over_other_routes_is_refused_and_names_all_of_them():
    words = refusal(route("One", "a", "b"), route("Two", "b", "c"), route("Three", "c", "a"))
    for name in ("One", "Two", "Three"):
        assert f"test_write_cycles:{name} reads" in words


def test_a_route_beside_the_cycle_is_not_named():
    words = refusal(
        route("Before", "x", "a"), route("One", "a", "b"), route("Two", "b", "a"), route("On", "b", "z")
    )
    assert "Before" not in words
    assert "On " not in words


@pytest.mark.parametrize(
    "routes",
    [
        [route("Any", "*", "a")],
        [route("Lab", "lab-*", "a"), route("A", "a", "lab-7")],
    ],
)
def test_a_pattern_reads_every_table_that_it_matches(routes):
    assert "routes form a cycle" in refusal(*routes)


def test_a_table_that_is_named_otherwise_where_it_exists_is_the_same_table():
    assert "routes form a cycle" in refusal(route("Totals", "o", "o"), names=Names({"table/o": "orders"}))


@pytest.mark.parametrize(
    "routes",
    [
        [route("Totals", "orders", "orders", cycle=True)],
        [route("One", "a", "b"), route("Two", "b", "a", cycle=True)],
        [route("One", "a", "b"), route("Other", "a", "b"), route("Two", "b", "c")],
        [route("Lab", "lab-*", "a"), route("A", "a", "laboratory")],
    ],
)
def test_a_cycle_that_is_declared_is_none_and_neither_are_two_ways_to_one_table(routes):
    Router(routes)


def test_a_second_cycle_is_not_excused_by_the_declaration_of_the_first():
    declared = [route("One", "a", "b"), route("Two", "b", "a", cycle=True)]
    assert "test_write_cycles:Third" in refusal(*declared, route("Third", "b", "a"))


def test_what_a_bucket_fills_is_no_cycle():
    class Uploads(BucketRoute):
        bucket: ClassVar = "a"
        writes: ClassVar = {"table": "a"}

        def created(self, upload, context):
            return [PutItem({})]

    Router([Uploads(), route("Next", "a", "b")])
