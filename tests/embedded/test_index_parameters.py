"""Changes of the parameters of fields: the plan predicts whether the server accepts each one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployments import drop
from index_server import ANALYSIS, BASES, REST, Server, basic, told

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
