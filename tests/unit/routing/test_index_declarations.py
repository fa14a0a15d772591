"""Index declarations: the declarations of an index's routes are merged, and a contradiction is an error."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from service.errors import DeclarationError
from service.routing import IndexDeclaration, Names, Router, TableRoute
from service.routing.index_declarations import expanded, flat


def route(name: str = "Mine", **declared: Any) -> TableRoute:
    members = {
        "table": name.lower(),
        "key": {"id": "S"},
        "where": {},
        "index": "things",
        "document": lambda self, item: item,
    }
    return type(name, (TableRoute,), members | declared)()


def pair(one: dict[str, Any], other: dict[str, Any], **names: str) -> dict[str, IndexDeclaration]:
    """Return the indices of two routes of one table that select items by their key."""
    routes = [
        route(name, table="t", where={"id": f"{name}#*"}, **d) for name, d in (("One", one), ("Other", other))
    ]
    return Router(routes, Names(names)).indices


def test_an_index_has_what_its_route_declares_by_the_name_that_exists():
    mine = route(
        mapping={"properties": {"a": {"type": "text"}}},
        index_settings={"index": {"number_of_shards": 3}},
        aliases=["b", "a"],
    )
    router = Router([mine], Names({"index/things": "things-lab", "index/a": "a-lab"}))
    (declared,) = router.indices.values()
    assert declared == IndexDeclaration(
        "things-lab", {"properties": {"a": {"type": "text"}}}, {"number_of_shards": 3}, ("a-lab", "b")
    )


def test_routes_of_one_index_add_up():
    one = {
        "properties": {"a": {"type": "text"}, "o": {"properties": {"x": {"type": "long"}}}},
        "dynamic": "strict",
    }
    other = {"properties": {"b": {"type": "text"}, "o": {"properties": {"y": {"type": "long"}}}}}
    found = pair(
        {"mapping": one, "index_settings": {"number_of_shards": 3}, "aliases": ["s"]},
        {"mapping": other, "index_settings": {"refresh_interval": "30s"}, "aliases": ("t",)},
    )["things"]
    assert found.mapping == {
        "dynamic": "strict",
        "properties": {
            "a": {"type": "text"},
            "b": {"type": "text"},
            "o": {"properties": {"x": {"type": "long"}, "y": {"type": "long"}}},
        },
    }
    assert found.settings == {"number_of_shards": 3, "refresh_interval": "30s"}
    assert found.aliases == ("s", "t")


def test_what_two_routes_declare_alike_is_no_contradiction():
    alike = {"properties": {"a": {"type": "text", "fields": {"raw": {"type": "keyword"}}}}}
    found = pair(
        {"mapping": alike, "index_settings": {"index.number_of_shards": 3}},
        {"mapping": alike, "index_settings": {"index": {"number_of_shards": "3"}}},
    )
    assert found["things"].mapping == alike


def fields(**definitions: Any) -> dict[str, Any]:
    return {"mapping": {"properties": definitions}}


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        (fields(a={"type": "text"}), fields(a={"type": "keyword"}), "mapping of a"),
        (fields(a={"type": "text"}), fields(a={"type": "text", "analyzer": "english"}), "mapping of a"),
        (
            fields(o={"properties": {"x": {"type": "long"}}}),
            fields(o={"properties": {"x": {"type": "ip"}}}),
            r"mapping of o\.x",
        ),
        (fields(**{"o.x": {"type": "long"}}), fields(o={"properties": {"x": {"type": "ip"}}}), r"mapping of o\.x"),
        (fields(o={"properties": {}}), fields(o={"type": "nested", "properties": {}}), "mapping of o"),
        (fields(o={"properties": {}}), fields(o={"type": "text"}), "mapping of o"),
        ({"mapping": {"dynamic": False}}, {"mapping": {"dynamic": "strict"}}, "mapping of dynamic"),
        (
            {"index_settings": {"number_of_shards": 3}},
            {"index_settings": {"index": {"number_of_shards": 4}}},
            "setting number_of_shards",
        ),
    ],
)
def test_a_contradiction_is_an_error_that_names_both_and_the_place(one, other, what):
    for first, second in ((one, other), (other, one)):
        with pytest.raises(DeclarationError, match=rf"One and .*Other declare a different {what} .*'things'"):
            pair(first, second)


def test_another_index_is_no_matter():
    found = Router(
        [route("One", index_settings={"codec": "a"}), route("Other", index="b", mapping={"x": 1})]
    ).indices
    assert {name: (one.settings, one.mapping) for name, one in found.items()} == {
        "things": ({"codec": "a"}, {}),
        "b": ({}, {"x": 1}),
    }


def test_an_alias_that_is_an_index_is_an_error():
    with pytest.raises(DeclarationError, match=r"One\.aliases: 'b' is already the index of a route"):
        Router([route("One", aliases=["b"]), route("Other", index="b")])


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"aliases": "search"}, r"\.aliases must be a collection of valid index names"),
        ({"aliases": ["Search"]}, r"\.aliases must be"),
        ({"aliases": [""]}, r"\.aliases must be"),
        ({"aliases": [5]}, r"\.aliases must be"),
        ({"index_settings": [("codec", "a")]}, r"\.index_settings must be a dict with the settings of the index"),
        (
            {"index": "", "writes": {"table": "x"}, "aliases": ["a"]},
            "declares index_settings or aliases but no index",
        ),
        ({"index": "", "writes": {"table": "x"}, "index_settings": {"codec": "a"}}, "Declare index"),
    ],
)
def test_a_declaration_that_cannot_be_is_an_error(declared, message):
    with pytest.raises(DeclarationError, match=rf"Mine.*{message}"):
        Router([route(**declared)])


def test_settings_are_flat_in_whatever_nesting_they_are_declared():
    analysis = {"analyzer": {"mine": {"type": "custom", "filter": ["lowercase"]}}}
    wanted = {"analysis.analyzer.mine.type": "custom", "analysis.analyzer.mine.filter": ["lowercase"]}
    assert flat({"analysis": analysis}) == flat({"index": {"analysis": analysis}}) == wanted
    assert flat({"index.analysis": analysis}) == wanted
    assert flat(MappingProxyType({"number_of_shards": 1})) == {"number_of_shards": 1}


def test_dotted_names_become_objects_that_meet():
    mapping = {
        "properties": {"a.b.c": {"type": "ip"}, "a": {"properties": {"d": {"type": "ip"}}}, "e.f": {"type": "ip"}}
    }
    assert expanded(mapping) == {
        "properties": {
            "a": {"properties": {"b": {"properties": {"c": {"type": "ip"}}}, "d": {"type": "ip"}}},
            "e": {"properties": {"f": {"type": "ip"}}},
        }
    }


def test_what_is_declared_becomes_plain_values():
    frozen = MappingProxyType({"properties": MappingProxyType({"a": MappingProxyType({"type": "text"})})})
    (declared,) = Router([route(mapping=frozen)]).indices.values()
    assert type(declared.mapping["properties"]["a"]) is dict
