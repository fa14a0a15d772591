"""Indices that are recreated empty: their aliases, interruptions and refusals."""

from __future__ import annotations

from typing import Any

import pytest
from deployments import ask
from index_server import Server, behind

from service.commands.indices.applying import recreate


@pytest.mark.parametrize("plain", [False, True])
def test_an_index_is_recreated_behind_its_alias_with_the_aliases_that_it_had(server: Server, plain: bool):
    old = server.name if plain else behind(server, 1)
    if plain:
        server.make(server.name, mappings={"properties": {"a": {"type": "keyword"}}})
    ask("PUT", f"{server.url}/{old}/_alias/{server.name}-own", {"routing": "1"})
    ask("PUT", f"{server.url}/{server.name}/_doc/1?refresh=true", {"a": "x"})
    planned = server.plan({"a": {"type": "text"}}, aliases=[f"{server.name}-search"])
    applied = recreate(server.context, planned)
    new = f"{server.name}-00000{1 if plain else 2}"
    assert (applied.created, applied.done) == (new, True)
    assert server.fields(new) == {"a": {"type": "text"}}
    assert ask("GET", f"{server.url}/{server.name}/_count")["count"] == 0
    assert list(ask("GET", f"{server.url}/{server.name}*/_alias")) == [new]
    routing = {"index_routing": "1", "search_routing": "1"}
    assert server.aliases(new) == {
        server.name: {},
        f"{server.name}-own": routing,
        f"{server.name}-search": {},
        **({} if plain else {old: {"is_write_index": False}}),  # a late write cannot re-create the old index
    }


def test_recreating_that_is_interrupted_has_changed_nothing_and_can_be_repeated(server: Server, monkeypatch):
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    old = behind(server, 1)
    planned = server.plan({"a": {"type": "text"}})
    with monkeypatch.context() as patch:
        patch.setattr("service.commands.rebuild.replacing.change_aliases", interrupted)
        with pytest.raises(KeyboardInterrupt):
            recreate(server.context, planned)
    assert server.plan({"a": {"type": "text"}}).there.index == old
    with monkeypatch.context() as patch:
        patch.setattr("service.commands.rebuild.replacing.create", interrupted)
        with pytest.raises(KeyboardInterrupt):
            recreate(server.context, server.plan({"a": {"type": "text"}}))
    assert recreate(server.context, server.plan({"a": {"type": "text"}})).done
    assert server.plan({"a": {"type": "text"}}).state == "equal"


def test_what_the_server_does_not_make_is_not_put_in_the_place_of_what_is_there(server: Server):
    old = behind(server, 1)
    ask("PUT", f"{server.url}/{old}/_doc/1?refresh=true", {"a": "x"})
    applied = recreate(server.context, server.plan({"a": {"type": "nonsense"}}))
    assert ("nonsense" in applied.refused, applied.done) == (True, False)
    assert ask("GET", f"{server.url}/{server.name}/_count")["count"] == 1


def test_an_index_with_a_copy_is_not_recreated_and_neither_is_one_that_changed_meanwhile(server: Server):
    old = behind(server, 1, is_write_index=True)
    planned = server.plan({"a": {"type": "text"}})
    copy = behind(server, 2, alias=f"{server.name}--also")
    assert "another process has changed the index" in recreate(server.context, planned).refused
    assert f"{copy} gets the same writes" in recreate(server.context, server.plan({"a": {"type": "text"}})).refused
    assert server.plan({}).there.index == old


def test_the_write_index_of_an_alias_is_one_when_it_is_recreated(server: Server):
    behind(server, 1, is_write_index=True)
    assert recreate(server.context, server.plan({"a": {"type": "text"}})).done
    assert server.aliases()[server.name] == {"is_write_index": True}
