"""Index templates that give the declared mapping to indices that the server creates by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from deployments import ask, drop
from index_server import ANALYSIS, Server

from service.commands.indices.planning import template_name
from service.context import Context
from service.sinks.opensearch.index_creation import create


@pytest.fixture
def with_templates(server: Server) -> Server:
    server.context = Context(replace(server.context.settings, index_templates=True))
    return server


def test_a_template_gives_an_index_that_the_server_makes_its_mapping(with_templates: Server):
    server = with_templates
    declared = {"a": {"type": "keyword"}, "o.x": {"type": "long"}}
    assert server.plan(declared).template.there is None
    assert [one.kind for one in server.apply(declared, ANALYSIS).made] == ["template"]
    assert server.plan(declared, ANALYSIS).template is None
    drop(server.url, server.name)
    for index in (server.name, f"{server.name}-000002"):
        ask("PUT", f"{server.url}/{index}/_doc/1", {"a": "x"})
        ask("POST", f"{server.url}/{index}/_doc", {"price": 10})
        assert server.fields(index)["a"] == {"type": "keyword"}
        assert server.fields(index)["price"] == {"type": "double"}
        assert server.setting("gc_deletes", index) == "1h"
    assert server.aliases(f"{server.name}-000002") == {}


def test_a_template_that_is_out_of_date_is_put_even_where_the_index_needs_a_rebuild(with_templates: Server):
    server = with_templates
    server.apply({"a": {"type": "keyword"}})
    changed = {"a": {"properties": {"x": {"type": "long"}}}}
    assert server.plan(changed).template.there == "another"
    applied = server.apply(changed)
    assert ([one.kind for one in applied.made], applied.done) == (["template"], False)
    # The old template would conflict with the field that the rebuild declares.
    assert create(server.context, server.declared(changed), f"{server.name}-000002")


def test_templates_of_names_that_begin_alike_are_no_clash(with_templates: Server):
    server = with_templates
    assert server.apply({"a": {"type": "keyword"}}).done
    server.name += "-more"
    assert server.apply({"a": {"type": "text"}}).done
    server.name = server.name.removesuffix("-more")
    drop(server.url, f"{server.name}-more")
    ask("PUT", f"{server.url}/{server.name}-more/_doc/1", {"a": "x"})
    assert server.fields(f"{server.name}-more") == {"a": {"type": "text"}}


def test_without_the_setting_there_is_no_template(server: Server):
    server.apply({"a": {"type": "keyword"}})
    assert ask("GET", f"{server.url}/_index_template/{template_name(server.declared())}") is None
