"""Indices as code on the real OpenSearch and on Elasticsearch 7.10."""

from __future__ import annotations

import pytest
from index_server import REST, Server, basic
from test_index_aliases import *  # noqa: F403  # the same tests run on the embedded server
from test_index_changes import *  # noqa: F403
from test_index_check import *  # noqa: F403
from test_index_commands import *  # noqa: F403
from test_index_parameters import *  # noqa: F403
from test_index_recreation import *  # noqa: F403
from test_index_templates import *  # noqa: F403

from service.commands.indices.differences import same
from service.commands.indices.parameters import UNKNOWN, value_of

KINDS = [
    "binary",
    "boolean",
    "completion",
    "date",
    "date_nanos",
    "date_range",
    "flat_object",
    "geo_point",
    "geo_shape",
    "integer_range",
    "ip",
    "join",
    "keyword",
    "long",
    "match_only_text",
    "rank_feature",
    "rank_features",
    "scaled_float",
    "search_as_you_type",
    "text",
    "token_count",
    "wildcard",
]

UNSAID = {"fielddata_frequency_filter", "position_increment_gap", "similarity"}
"""Parameters whose defaults the server reports in another form: -1 for 100, null for BM25."""


@pytest.fixture(params=["opensearch", "elasticsearch"])
def search_url(request) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


def test_the_defaults_are_those_that_the_servers_tell(server: Server):
    definitions = {f"f{kind}": basic(kind) for kind in server.has(KINDS)}
    assert server.apply(REST | definitions).done
    answer = server.context.search.indices.get_field_mapping(
        index=server.name, fields="f*", params={"include_defaults": "true"}
    )
    (found,) = answer.values()
    wrong = []
    for name, definition in definitions.items():
        told = found["mappings"][name]["mapping"][name]
        for parameter in told.keys() - UNSAID - {"type"}:
            value = told[parameter].lower() if parameter == "orientation" else told[parameter]
            known = value_of(definition, parameter)
            if known is UNKNOWN or not same(known, value):
                wrong.append((name, parameter, value, known))
    assert wrong == []
