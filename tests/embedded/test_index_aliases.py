"""Indices behind aliases: which index is compared, which ones are changed, and moves of declared aliases."""

from __future__ import annotations

import pytest
from index_server import Server, behind, told

from service.errors import Halt


def test_behind_an_alias_the_index_is_compared_and_changed(server: Server):
    index = behind(server, 7)
    planned = server.plan({"a": {"type": "keyword"}, "b": {"type": "long"}})
    assert planned.there.index == index
    assert told(planned) == [("b", "", "put")]
    assert server.apply({"a": {"type": "keyword"}, "b": {"type": "long"}}).done
    assert sorted(server.fields(index)) == ["a", "b"]


def test_of_several_behind_an_alias_the_write_index_is_meant(server: Server):
    behind(server, 1)
    with_writes = behind(server, 2, is_write_index=True)
    assert server.plan({}).there.index == with_writes


def test_an_alias_of_several_without_a_write_index_halts(server: Server):
    behind(server, 1)
    behind(server, 2)
    with pytest.raises(Halt, match=r"-000001.*mark one with is_write_index"):
        server.plan({})


def test_an_index_under_the_name_itself_is_compared_and_changed_as_it_is(server: Server):
    server.make(server.name, mappings={"properties": {"a": {"type": "keyword"}}})
    declared = {"a": {"type": "keyword"}, "b": {"type": "long"}}
    assert server.plan(declared).there.index == server.name
    assert server.apply(declared, aliases=[f"{server.name}-search"]).done
    assert list(server.aliases()) == [f"{server.name}-search"]


def test_while_there_is_a_copy_the_one_that_is_searched_is_compared_and_both_are_changed(server: Server):
    live, copy = behind(server, 1), behind(server, 2, alias=f"{server.name}--also")
    declared = {"a": {"type": "keyword"}, "b": {"type": "long"}}
    planned = server.plan(declared, {"refresh_interval": "30s"}, _meta={"by": "me"})
    assert (planned.there.index, planned.there.target.also) == (live, (copy,))
    applied = server.apply(declared, {"refresh_interval": "30s"}, _meta={"by": "me"})
    assert (applied.done, applied.left) == (True, {})
    for index in (live, copy):
        assert sorted(server.fields(index)) == ["a", "b"]
        assert server.setting("refresh_interval", index) == "30s"


def test_a_copy_that_does_not_take_a_change_is_told_and_the_other_is_changed(server: Server):
    live = behind(server, 2)
    server.make(
        f"{server.name}-000001",
        mappings={"properties": {"a": {"type": "long"}}},
        aliases={f"{server.name}--also": {}},
    )
    applied = server.apply({"a": {"type": "keyword"}, "b": {"type": "long"}})
    assert (applied.done, applied.refused) == (True, "")
    assert sorted(server.fields(live)) == ["a", "b"]
    (said,) = applied.left.values()
    assert (list(applied.left), "[a]" in said) == ([f"{server.name}-000001"], True)


def test_an_alias_is_added_and_moves_on_from_earlier_ones_of_the_index_alone(server: Server):
    search = f"{server.name}-search"
    earlier, stranger = f"{server.name}-000001", f"{server.name}-stranger"
    for index in (earlier, stranger):
        server.make(index, aliases={search: {}})
    current = behind(server, 2)
    planned = server.plan({"a": {"type": "keyword"}}, aliases=[search])
    assert told(planned) == [(search, "", "put")]
    assert server.apply({"a": {"type": "keyword"}}, aliases=[search]).done
    assert search in server.aliases(current)
    assert search in server.aliases(stranger)
    assert search not in server.aliases(earlier)


def test_an_alias_that_is_an_index_is_refused(server: Server):
    server.make(f"{server.name}-search")
    assert "alias" in server.apply({}, aliases=[f"{server.name}-search"]).refused
