"""Plans for one index, and their changes to its fields, its settings and the rest of its mapping."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest
from deployments import ask
from index_server import ANALYSIS, Server, told

from service import TableRoute
from service.commands.indices.applying import apply
from service.commands.indices.planning import plan
from service.context import Context
from service.errors import Halt, Unreachable
from service.routing import Router


def test_a_missing_index_is_created_as_declared_and_then_there_is_nothing_to_do(server: Server):
    declared = {"a": {"type": "keyword"}}
    settings = {"number_of_shards": 2, **ANALYSIS}
    assert server.plan(declared, settings).state == "missing"
    made = server.apply(declared, settings, aliases=[f"{server.name}-search"]).created
    assert made == f"{server.name}-000001"
    assert server.fields() == declared
    assert (server.setting("number_of_shards"), server.setting("gc_deletes")) == ("2", "1h")
    assert server.aliases() == {server.name: {}, f"{server.name}-search": {}}
    again = server.apply(declared, settings, aliases=[f"{server.name}-search"])
    assert (again.done, again.created, again.made) == (True, "", [])


def test_new_fields_of_every_depth_are_added_in_place(server: Server):
    server.apply({"a": {"type": "text"}, "o": {"properties": {"x": {"type": "long"}}}})
    more = {
        "a": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
        "o": {"properties": {"x": {"type": "long"}, "y": {"type": "date"}}},
        "n": {"type": "nested", "properties": {"z": {"type": "ip"}}},
    }
    assert told(server.plan(more)) == [("a.raw", "", "put"), ("n", "", "put"), ("o.y", "", "put")]
    assert len(server.apply(more).made) == 3
    assert server.fields() == more


def test_fields_that_no_route_declares_are_told_and_stay(server: Server):
    server.make(
        server.name, mappings={"properties": {"a": {"type": "text"}, "b": {"properties": {"x": {"type": "ip"}}}}}
    )
    planned = server.plan({"a": {"type": "text"}}, {"gc_deletes": "1h"})
    assert planned.undeclared == ["b"]
    assert server.apply({"a": {"type": "text"}}).done
    assert sorted(server.fields()) == ["a", "b"]


def test_an_index_that_the_server_made_by_itself_is_mended_where_that_can_be(server: Server):
    document = {"title": "Dusk", "when": "2026-11-23", "n": 1, "price": 10, "o": {"rate": 0.5, "seen": True}}
    ask("POST", f"{server.url}/{server.name}/_doc", document)
    declared = {"title": {"type": "text"}, "n": {"type": "long"}}
    planned = server.plan(declared)
    assert told(planned) == [
        ("gc_deletes", "", "put"),
        ("date_detection", "", "put"),
        ("dynamic_templates", "", "put"),
    ]
    assert planned.undeclared == ["title.keyword", "o", "price", "when"]
    assert planned.narrow == ("o.rate (float)", "price (long)")
    assert server.apply(declared).done
    assert server.setting("gc_deletes") == "1h"
    assert server.plan(declared).narrow == planned.narrow  # an in-place change cannot repair these


def test_numbers_that_are_found_later_are_doubles_in_an_index_that_was_mended(server: Server):
    ask("PUT", f"{server.url}/{server.name}", {})
    server.apply({})
    ask("POST", f"{server.url}/{server.name}/_doc", {"price": 10, "rates": [1, 2.5]})
    assert server.fields() == {"price": {"type": "double"}, "rates": {"type": "double"}}
    assert server.plan({}).narrow == ()


def test_the_types_of_numbers_are_the_servers_where_the_setting_says_so(server: Server):
    server.context = Context(replace(server.context.settings, undeclared_numbers="dynamic"))
    server.apply({})
    ask("POST", f"{server.url}/{server.name}/_doc", {"price": 10})
    assert server.fields() == {"price": {"type": "long"}}
    assert (told(server.plan({})), server.plan({}).narrow) == ([], ())


def test_another_type_needs_a_rebuild_and_nothing_else_is_done_meanwhile(server: Server):
    server.apply({"a": {"type": "keyword"}})
    declared = {"a": {"type": "text"}, "b": {"type": "long"}}
    assert told(server.plan(declared)) == [("b", "", "put"), ("a", "type", "rebuild")]
    applied = server.apply(declared, {"refresh_interval": "30s"})
    assert (applied.done, applied.made) == (False, [])
    assert server.fields() == {"a": {"type": "keyword"}}
    assert server.setting("refresh_interval") is None


def test_dynamic_settings_are_put_and_static_ones_need_a_rebuild(server: Server):
    server.apply({}, {"number_of_shards": 1, "refresh_interval": "1s"})
    changed = {"number_of_shards": 1, "refresh_interval": "30s", "gc_deletes": "2h", "codec": "default"}
    assert told(server.plan({}, changed)) == [("gc_deletes", "", "put"), ("refresh_interval", "", "put")]
    assert server.apply({}, changed).done
    assert (server.setting("refresh_interval"), server.setting("gc_deletes")) == ("30s", "2h")
    for static in ({"number_of_shards": 2}, ANALYSIS, {"codec": "best_compression"}, {"sort.field": "a"}):
        assert {cure for _, _, cure in told(server.plan({}, changed | static))} == {"rebuild"}
        assert not server.apply({}, changed | static).done


def test_a_limit_that_is_raised_is_out_of_the_way_of_the_fields_that_need_it(server: Server):
    limit = "mapping.total_fields.limit"
    assert server.apply({"a": {"type": "ip"}}, {limit: 1}).done
    assert server.apply({"a": {"type": "ip"}, "b": {"type": "ip"}}, {limit: 2}).done


def test_what_the_server_does_not_take_is_told_in_its_words(server: Server):
    refused = server.apply({"a": {"type": "nonsense"}}).refused
    assert "nonsense" in refused
    assert "{" not in refused
    server.apply({"a": {"type": "text"}})
    assert "no.such.setting" in server.apply({"a": {"type": "text"}}, {"no.such.setting": 1}).refused
    assert not server.apply({"a": {"type": "text"}, "b": {"type": "nonsense"}}).done


def test_what_the_server_takes_and_does_not_keep_is_told(server: Server):
    boosted = {"a": {"type": "long", "boost": 2.0}}
    for _ in range(2):
        applied = server.apply(boosted)
        assert (applied.done, applied.refused) == (
            False,
            "the server accepted the changes, but the index still differs",
        )


def test_what_stands_beside_the_fields_is_put_where_it_can_be(server: Server):
    templates = [{"s": {"match_mapping_type": "string", "mapping": {"type": "keyword"}}}]
    server.apply({}, dynamic="true", _meta={"by": "a"}, _source={"enabled": True})
    assert told(server.plan({}, dynamic=True, date_detection=False)) == []
    changed = {
        "dynamic": "strict",
        "dynamic_templates": templates,
        "_meta": {"by": "b"},
        "numeric_detection": True,
    }
    assert {cure for _, _, cure in told(server.plan({}, **changed))} == {"put"}
    assert len(server.apply({}, **changed).made) == 4
    assert told(server.plan({}, **changed)) == []
    assert told(server.plan({}, **changed, _source={"excludes": ["a"]})) == [("_source", "", "rebuild")]
    assert told(server.plan({}, **changed, _routing={"required": True})) == [("_routing", "", "rebuild")]


def test_dotted_names_are_the_objects_that_the_server_makes_of_them(server: Server):
    class Mine(TableRoute):
        table: ClassVar = "t"
        key: ClassVar = {"id": "S"}
        index: ClassVar = server.name
        mapping: ClassVar = {"properties": {"a.b": {"type": "keyword"}, "a.c": {"type": "long"}}}
        index_settings: ClassVar = {"index": {"analysis": {"analyzer": {"mine": {"type": "standard"}}}}}

        def document(self, item):
            return item

    declared = Router([Mine()]).indices[server.name]
    assert apply(server.context, plan(server.context, declared)).done
    assert plan(server.context, declared).state == "equal"
    assert server.fields() == {"a": {"properties": {"b": {"type": "keyword"}, "c": {"type": "long"}}}}


def test_a_server_that_does_not_answer_is_said_so():
    with pytest.raises(Unreachable, match="does not answer"):
        Server("http://127.0.0.1:1").plan({})


def test_what_is_no_search_server_is_no_missing_index(aws_url: str):
    with pytest.raises((Halt, Unreachable)):
        Server(aws_url).plan({})
