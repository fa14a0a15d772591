"""Indices as code: a plan predicts the behavior of the server. The same tests run on the real servers."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from deployments import ask, aws_client, drop
from opensearchpy.exceptions import TransportError

from service import Document, Item, Reject, TableRoute
from service.commands.indices.applying import Applied, apply, recreate
from service.commands.indices.checking import Checked, check
from service.commands.indices.differences import Cure
from service.commands.indices.planning import Plan, plan, template_name
from service.context import Context
from service.entrypoints.cli import main
from service.errors import Halt, Unreachable
from service.routing import IndexDeclaration, Names, Router
from service.settings import Settings
from service.sinks.opensearch.index_creation import create

_numbers = itertools.count()

ANALYSIS = {
    "analysis.analyzer.mine.type": "standard",
    "analysis.analyzer.mine.max_token_length": 9,
    "analysis.analyzer.other.type": "standard",
    "analysis.analyzer.other.max_token_length": 5,
}
BASES: dict[str, dict[str, Any]] = {
    "alias": {"path": "p"},
    "join": {"relations": {"a": "b"}},
    "scaled_float": {"scaling_factor": 100},
    "token_count": {"analyzer": "standard"},
}
"""Parameters that a type requires."""

REST = {"p": {"type": "keyword"}, "q": {"type": "keyword"}}
"""Fields that other fields refer to."""

DEFAULTS_IN_WORDS: dict[str, dict[str, Any]] = {
    "binary": {"doc_values": False, "store": False},
    "boolean": {"index": True, "doc_values": True, "store": False},
    "completion": {"analyzer": "simple", "max_input_length": 50, "preserve_separators": True},
    "date": {"format": "strict_date_optional_time||epoch_millis", "ignore_malformed": False, "store": False},
    "date_nanos": {"index": True, "ignore_malformed": False},
    "geo_point": {"ignore_malformed": False, "ignore_z_value": True},
    "geo_shape": {"ignore_malformed": False, "ignore_z_value": True, "orientation": "right", "coerce": False},
    "integer_range": {"coerce": True, "index": True},
    "ip": {"index": True, "ignore_malformed": False, "null_value": None},
    "join": {"eager_global_ordinals": True},
    "keyword": {
        "doc_values": True,
        "eager_global_ordinals": False,
        "ignore_above": 2147483647,
        "index": True,
        "index_options": "docs",
        "norms": False,
        "split_queries_on_whitespace": False,
    },
    "long": {"coerce": True, "doc_values": True, "ignore_malformed": False, "index": True, "store": False},
    "nested": {"include_in_parent": False, "include_in_root": False},
    "object": {"enabled": True},
    "rank_feature": {"positive_score_impact": True},
    "scaled_float": {"coerce": True, "ignore_malformed": False},
    "search_as_you_type": {"max_shingle_size": 3, "norms": True, "index_options": "positions", "store": False},
    "text": {
        "analyzer": "default",
        "fielddata": False,
        "index": True,
        "index_options": "positions",
        "index_phrases": False,
        "norms": True,
        "position_increment_gap": 100,
        "similarity": "BM25",
        "store": False,
        "term_vector": "no",
    },
    "token_count": {"enable_position_increments": True},
}
"""The default values of the parameters of each type."""

CHANGES = [
    ("alias", "path", "p", "q"),
    ("binary", "doc_values", False, True),
    ("binary", "store", False, True),
    ("boolean", "index", True, False),
    ("boolean", "null_value", True, False),
    ("completion", "analyzer", "simple", "standard"),
    ("completion", "max_input_length", 50, 40),
    ("completion", "preserve_separators", True, False),
    ("completion", "search_analyzer", "simple", "standard"),
    ("date", "format", "strict_date", "epoch_millis"),
    ("date", "ignore_malformed", False, True),
    ("date", "locale", "en", "fr"),
    ("date", "meta", {"unit": "a"}, {"unit": "b"}),
    ("date", "null_value", "2020-01-01", "2021-01-01"),
    ("geo_point", "ignore_malformed", False, True),
    ("geo_point", "ignore_z_value", True, False),
    ("geo_shape", "coerce", False, True),
    ("geo_shape", "orientation", "right", "left"),
    ("integer_range", "coerce", True, False),
    ("ip", "ignore_malformed", False, True),
    ("ip", "null_value", "1.1.1.1", "1.1.1.2"),
    ("join", "eager_global_ordinals", True, False),
    ("keyword", "boost", 1.0, 2.0),
    ("keyword", "copy_to", "p", "q"),
    ("keyword", "doc_values", True, False),
    ("keyword", "eager_global_ordinals", False, True),
    ("keyword", "ignore_above", 100, 200),
    ("keyword", "index", True, False),
    ("keyword", "index_options", "docs", "freqs"),
    ("keyword", "meta", {"unit": "a"}, {"unit": "b"}),
    ("keyword", "norms", False, True),
    ("keyword", "norms", True, False),
    ("keyword", "null_value", "a", "b"),
    ("keyword", "similarity", "BM25", "boolean"),
    ("keyword", "split_queries_on_whitespace", False, True),
    ("keyword", "store", False, True),
    ("long", "coerce", True, False),
    ("long", "copy_to", "p", "q"),
    ("long", "doc_values", True, False),
    ("long", "ignore_malformed", False, True),
    ("long", "null_value", 1, 2),
    ("nested", "dynamic", "true", "strict"),
    ("nested", "enabled", True, False),
    ("nested", "include_in_parent", False, True),
    ("object", "dynamic", "true", "false"),
    ("object", "enabled", True, False),
    ("rank_feature", "positive_score_impact", True, False),
    ("scaled_float", "scaling_factor", 100, 10),
    ("search_as_you_type", "max_shingle_size", 3, 4),
    ("text", "analyzer", "mine", "other"),
    ("text", "boost", 1.0, 2.0),
    ("text", "copy_to", "p", "q"),
    ("text", "eager_global_ordinals", False, True),
    ("text", "fielddata", False, True),
    ("text", "index", True, False),
    ("text", "index_options", "positions", "offsets"),
    ("text", "index_phrases", False, True),
    ("text", "index_prefixes", None, {"min_chars": 2, "max_chars": 5}),
    ("text", "norms", True, False),
    ("text", "norms", False, True),
    ("text", "position_increment_gap", 100, 50),
    ("text", "search_analyzer", "standard", "other"),
    ("text", "search_quote_analyzer", "standard", "other"),
    ("text", "similarity", "BM25", "boolean"),
    ("text", "store", False, True),
    ("text", "term_vector", "no", "yes"),
]
"""Type, parameter, and two values of the parameter."""


class Server:
    """A search server with one index that the tests declare and change."""

    def __init__(self, url: str, **settings: Any):
        self.url = url
        self.name = f"code-{next(_numbers)}"
        self.context = Context(Settings(search_url=url, **settings))

    def declared(self, properties: Any = None, settings: Any = None, aliases: Any = (), **root: Any) -> Any:
        mapping = root if properties is None else {**root, "properties": properties}
        return IndexDeclaration(self.name, mapping, settings or {}, tuple(aliases))

    def plan(self, *declared: Any, **more: Any) -> Plan:
        return plan(self.context, self.declared(*declared, **more))

    def apply(self, *declared: Any, **more: Any) -> Applied:
        return apply(self.context, self.plan(*declared, **more))

    def make(self, index: str, **body: Any) -> None:
        ask("PUT", f"{self.url}/{index}", body)

    def fields(self, index: str = "") -> Any:
        (found,) = ask("GET", f"{self.url}/{index or self.name}/_mapping").values()
        return found["mappings"].get("properties", {})

    def setting(self, name: str, index: str = "") -> Any:
        (found,) = ask("GET", f"{self.url}/{index or self.name}/_settings?flat_settings=true").values()
        return found["settings"].get(f"index.{name}")

    def aliases(self, index: str = "") -> Any:
        (found,) = ask("GET", f"{self.url}/{index or self.name}/_alias").values()
        return found["aliases"]

    def _said(self, index: str, properties: Any) -> str:
        """Return the server's error for a put of these fields, or "" if it accepts them."""
        try:
            self.context.search.indices.put_mapping(index=index, body={"properties": properties})
        except TransportError as error:
            return str(error)
        return ""

    def takes(self, properties: Any) -> bool:
        """True if the server accepts a put of these fields."""
        said = self._said(self.name, properties)
        assert not said or re.search("Cannot update|can't be updated", said), said
        return not said

    def has(self, kinds: Iterable[str]) -> set[str]:
        """Return those of the types that the server has."""
        probe = f"{self.name}-probe"
        self.make(probe, mappings={"properties": REST})
        said = {kind: self._said(probe, {f"f{kind}": basic(kind)}) for kind in kinds}
        assert all("No handler for type" in words for words in said.values() if words), said
        return {kind for kind, words in said.items() if not words}


@pytest.fixture
def server(search_url: str) -> Iterator[Server]:
    made = Server(search_url)
    yield made
    for index in ask("GET", f"{search_url}/{made.name}*/_alias") or {}:
        ask("DELETE", f"{search_url}/{index}")
    for name in (made.name, f"{made.name}-more"):
        ask("DELETE", f"{search_url}/_index_template/streamdex-{name}")
    made.context.close()


def basic(kind: str, **parameters: Any) -> dict[str, Any]:
    """Return a field of a type with its required parameters and these."""
    return {"type": kind, **BASES.get(kind, {}), **{n: v for n, v in parameters.items() if v is not None}}


def told(planned: Plan) -> list[tuple[str, str, str]]:
    return [(one.path, one.parameter, one.cure.value) for one in (*planned.to_put, *planned.to_rebuild)]


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


def test_a_default_that_is_declared_in_words_is_no_difference(server: Server):
    kinds = server.has(DEFAULTS_IN_WORDS)
    assert len(kinds) > 8
    unsaid = REST | {f"f{kind}": basic(kind) for kind in kinds}
    in_words = REST | {f"f{kind}": {**basic(kind), **DEFAULTS_IN_WORDS[kind]} for kind in kinds}
    assert server.apply(unsaid).done
    assert told(server.plan(in_words)) == []
    drop(server.url, server.name)
    assert server.apply(in_words).done
    assert told(server.plan(unsaid)) == told(server.plan(in_words)) == []


def changes(server: Server) -> Iterator[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Yield for each change the name of a field, and the field before, after, and without the parameter."""
    kinds = server.has({kind for kind, *_ in CHANGES})
    for number, (kind, parameter, before, after) in enumerate(CHANGES):
        if kind in kinds:
            fields = (
                basic(kind, **{parameter: value}) for value in (before, after, BASES.get(kind, {}).get(parameter))
            )
            yield f"f{number}-{kind}-{parameter}", *fields


def test_what_a_plan_says_of_each_parameter_is_what_the_server_does(server: Server):
    cases = list(changes(server))
    assert len(cases) > 50
    assert server.apply(REST | {name: before for name, before, _, _ in cases}, ANALYSIS).done
    planned = server.plan(REST | {name: after for name, _, after, _ in cases}, ANALYSIS)
    cures = {path: (parameter, cure) for path, parameter, cure in told(planned)}
    can = {name: "put" if server.takes({name: after}) else "rebuild" for name, _, after, _ in cases}
    assert cures == {name: (name.rpartition("-")[2], cure) for name, cure in can.items()}
    now = {name: after if can[name] == "put" else before for name, before, after, _ in cases}
    assert told(server.plan(REST | now, ANALYSIS)) == []


def test_a_parameter_that_is_declared_no_longer_is_put_back_to_its_default_where_that_can_be(server: Server):
    # The server keeps an omitted `dynamic` of an object. A required parameter cannot be omitted.
    cases = [case for case in changes(server) if not case[0].endswith("-dynamic") and case[2] != case[3]]
    assert server.apply(REST | {name: after for name, _, after, _ in cases}, ANALYSIS).done
    planned = server.plan(REST | {name: left_out for name, _, _, left_out in cases}, ANALYSIS)
    refused = {one.path for one in planned.to_rebuild}
    assert len(refused) > 20
    assert [name for name, _, _, left_out in cases if name in refused and server.takes({name: left_out})] == []
    now = {name: after if name in refused else left_out for name, _, after, left_out in cases}
    assert server.apply(REST | now, ANALYSIS).done
    assert told(server.plan(REST | now, ANALYSIS)) == []


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


def behind(server: Server, number: int, alias: str = "", **options: Any) -> str:
    """Create an index behind the server's alias, or behind another alias. Return its name."""
    index = f"{server.name}-{number:06d}"
    create(server.context, server.declared({"a": {"type": "keyword"}}), index)
    actions = [{"add": {"index": index, "alias": alias or server.name, **options}}]
    ask("POST", f"{server.url}/_aliases", {"actions": actions})
    return index


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


def test_a_server_that_does_not_answer_is_said_so():
    with pytest.raises(Unreachable, match="does not answer"):
        Server("http://127.0.0.1:1").plan({})


def test_what_is_no_search_server_is_no_missing_index(aws_url: str):
    with pytest.raises((Halt, Unreachable)):
        Server(aws_url).plan({})


class Books(TableRoute):
    """Books with an optional number of pages."""

    table: ClassVar = "books-*"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "books"
    where: ClassVar = {"id": "b*"}
    mapping: ClassVar = {"properties": {"pages": {"type": "long"}, "tags": {"type": "keyword"}}}

    def document(self, item: Item) -> Document | None:
        if item.get("secret"):
            return None
        if item.get("bad"):
            raise Reject("a book that is none")
        return {name: value for name, value in item.items() if name != "id"}


class Shelf:
    """A table of books, and the index of its documents."""

    def __init__(self, server: Server, aws_url: str):
        self.server = server
        self.table = f"books-{server.name}"
        dynamodb = aws_client(aws_url, "dynamodb", "resource")
        self._items = dynamodb.create_table(
            TableName=self.table,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        names = Names({"index/books": server.name})
        self.router = Router([Books()], names)
        self.context = Context(
            server.context.settings, search=server.context.search, dynamodb=aws_client(aws_url, "dynamodb")
        )

    def put(self, name: str, **rest: Any) -> None:
        self._items.put_item(Item={"id": name, **rest})

    def check(self, sample: int = 1000) -> Checked:
        declared = self.router.indices[self.server.name]
        return check(self.context, self.router, declared, [self.table, "others"], sample, lambda more: None)

    def left_behind(self) -> Any:
        return ask("GET", f"{self.server.url}/streamdex-check-*/_alias")


@pytest.fixture
def shelf(server: Server, aws_url: str) -> Shelf:
    return Shelf(server, aws_url)


def test_a_sample_that_fits_is_counted_and_leaves_nothing_behind(shelf: Shelf):
    shelf.put("b1", pages=12, tags={"x", "y"})
    shelf.put("b2", secret=True)
    shelf.put("other", pages="none of ours")
    checked = shelf.check()
    assert (checked.items, checked.documents, checked.conflicts) == (3, 1, [])
    assert shelf.left_behind() == {}
    assert ask("GET", f"{shelf.server.url}/{shelf.server.name}") is None


def test_what_does_not_fit_is_told_by_field_and_document_and_its_value_is_not(shelf: Shelf):
    shelf.put("b1", pages=12)
    shelf.put("b2", pages="a dozen", tags={"x"})
    shelf.put("b3", bad=True)
    conflicts = {one.id.rpartition("|")[2]: one for one in shelf.check().conflicts}
    assert sorted(conflicts) == ["b2", "b3"]
    assert conflicts["b2"].reason == "mapping conflict: field pages contains text, but is mapped as long"
    assert "a book that is none" in conflicts["b3"].reason
    assert conflicts["b2"].route == "test_indices:Books"
    assert shelf.left_behind() == {}


def test_no_more_than_the_sample_is_read(shelf: Shelf):
    for number in range(7):
        shelf.put(f"b{number}", pages=number)
    assert shelf.check(sample=3).items == 3


def test_an_index_that_was_left_behind_is_deleted_by_the_next_check(shelf: Shelf):
    now = datetime.now(UTC)
    old, young = (f"streamdex-check-{now - timedelta(minutes=age):%Y%m%d%H%M%S}-x" for age in (90, 5))
    for index in (old, young):
        shelf.server.make(index)
    shelf.put("b1")
    shelf.check()
    assert list(shelf.left_behind()) == [young]
    ask("DELETE", f"{shelf.server.url}/{young}")


def test_a_check_that_is_interrupted_leaves_nothing_behind(shelf: Shelf, monkeypatch):
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    shelf.put("b1")
    monkeypatch.setattr(Books, "document", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shelf.check()
    assert shelf.left_behind() == {}


def test_without_a_region_it_is_said_what_is_missing(shelf: Shelf, monkeypatch):
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    declared = shelf.router.indices[shelf.server.name]
    with pytest.raises(Halt, match="region"):
        check(shelf.server.context, shelf.router, declared, [shelf.table], 10, lambda more: None)
    assert shelf.left_behind() == {}


def test_a_table_that_is_not_there_halts(shelf: Shelf):
    declared = shelf.router.indices[shelf.server.name]
    with pytest.raises(Halt, match="books-gone does not exist"):
        check(shelf.context, shelf.router, declared, ["books-gone"], 10, lambda more: None)


ROUTES = """
from service import TableRoute


class Things(TableRoute):
    table = "{table}"
    key = {{"id": "S"}}
    index = "things"
    mapping = {mapping}

    def document(self, item):
        return {{"a": item.get("a")}}
"""


class Command:
    """The command `indices`, with a package of routes that tests can rewrite."""

    def __init__(self, server: Server, tmp_path, monkeypatch, capsys):
        self.server = server
        self._path, self._monkeypatch, self._capsys = tmp_path, monkeypatch, capsys
        monkeypatch.setenv("SEARCH_URL", server.url)
        monkeypatch.setenv("STREAMDEX_NAMES", f"index/things={server.name}")
        monkeypatch.syspath_prepend(tmp_path)

    def run(self, mapping: Any, *words: str, table: str = "things") -> tuple[int, str, str]:
        package = f"routes_{next(_numbers)}"
        (self._path / package).mkdir()
        (self._path / package / "__init__.py").write_text('ROUTES = ["things:Things"]')
        (self._path / package / "things.py").write_text(ROUTES.format(mapping=mapping, table=table))
        code = main(["indices", *words, f"--routes={package}"])
        return code, *self._capsys.readouterr()


@pytest.fixture
def command(server: Server, tmp_path, monkeypatch, capsys) -> Command:
    for name in ("FUNC", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return Command(server, tmp_path, monkeypatch, capsys)


KEYWORD, TEXT = ({"properties": {"a": {"type": kind}}} for kind in ("keyword", "text"))


def test_the_command_plans_applies_and_says_with_its_exit_code_what_is_left(command: Command):
    name = command.server.name
    assert command.run(KEYWORD, "plan") == (1, f"{name}: to be created\n", "")
    assert command.run(KEYWORD, "apply")[:2] == (0, f"{name}: created {name}-000001\n")
    assert command.run(KEYWORD, "plan")[:2] == (0, f"{name} ({name}-000001): as declared\n")
    code, out, _ = command.run(TEXT, "plan")
    assert code == 1
    assert "rebuild a: type keyword -> text" in out
    assert "python -m service backfill --route=things:Things --rebuild\n" in out
    code, out, _ = command.run(TEXT, "apply")
    assert code == 1
    assert "refused" in out
    assert command.server.fields() == KEYWORD["properties"]


def test_every_line_is_json_for_scripts(command: Command):
    command.run(KEYWORD, "apply")
    code, out, _ = command.run(TEXT, "plan", "--json", "--index=things")
    (line,) = map(json.loads, out.splitlines())
    difference = {"kind": "field", "path": "a", "there": "keyword", "declared": "text", "parameter": "type"}
    assert code == 1
    assert line["differences"] == [{**difference, "cure": Cure.REBUILD}]
    assert (line["index"], line["state"], line["template"]) == (command.server.name, "differs", None)
    assert (line["behind"], line["copies"]) == (f"{command.server.name}-000001", [])


def test_of_an_index_that_is_no_alias_it_is_said_that_there_is_no_way_back(command: Command):
    command.server.make(command.server.name, mappings=KEYWORD)
    for action in ("plan", "apply"):
        code, out, _ = command.run(TEXT, action)
        assert code == 1
        assert "--route=things:Things --rebuild --replace-index\n" in out
        assert f"{command.server.name} is an index, not an alias" in out


def test_an_index_is_deleted_only_where_it_is_named_and_confirmed(command: Command, monkeypatch):
    command.run(KEYWORD, "apply")
    code, _, err = command.run(TEXT, "apply", "--recreate")
    assert (code, "--index=NAME" in err) == (2, True)
    code, _, err = command.run(TEXT, "apply", "--recreate", "--index=things")
    assert (code, "--yes" in err) == (2, True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: "no")
    assert command.run(TEXT, "apply", "--recreate", "--index=things")[0] == 1
    assert command.server.fields() == KEYWORD["properties"]
    asked: list[str] = []
    index = f"{command.server.name}-000001"
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or index)
    assert command.run(TEXT, "apply", "--recreate", "--index=things")[0] == 0
    assert "0 documents" in asked[0]
    assert command.server.fields() == TEXT["properties"]


def test_recreating_again_deletes_nothing(command: Command):
    command.run(KEYWORD, "apply")
    words = ("apply", "--recreate", "--index=things", "--yes")
    assert command.run(TEXT, *words)[0] == 0
    ask("PUT", f"{command.server.url}/{command.server.name}/_doc/1?refresh=true", {"a": "x"})
    assert command.run(TEXT, *words)[0] == 0
    assert ask("GET", f"{command.server.url}/{command.server.name}/_count")["count"] == 1


def test_the_command_checks_a_sample(command: Command, shelf: Shelf, aws_url: str, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_url)
    shelf.put("b1", a=1)
    code, out, _ = command.run({"properties": {"a": {"type": "date"}}}, "check", "--sample=10", table=shelf.table)
    assert (code, out) == (0, f"{command.server.name}: 1 item, 1 document: all fit\n")
    shelf.put("b2", a={"x": "no date"})
    code, out, _ = command.run({"properties": {"a": {"type": "date"}}}, "check", table=shelf.table)
    assert code == 1
    assert "field a contains object, but is mapped as date: b2" in out


def test_a_server_that_is_down_exits_with_4_and_a_word_that_is_none_with_2(command: Command, monkeypatch):
    assert command.run(KEYWORD, "dance")[0] == 2
    assert command.run(KEYWORD, "plan", "--index=none")[0] == 2
    assert command.run(KEYWORD, "plan", "--search-url=http://127.0.0.1:1")[0] == 4
