"""Facts about mapping parameters and index settings: their defaults, and if they can be changed in place.

Tested with each field type on OpenSearch 3.6.0 and Elasticsearch 7.10.2: the parameters that a put of the
mapping can change in an existing field, and the settings that can be changed in an open index. A server omits
parameters with default values. The defaults below are those it returns with `include_defaults`, and those of the
documentation ("Mapping parameters", "Index settings").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

UNKNOWN: Final = object()
"""The default of a parameter that this module does not list."""

UPDATABLE: Final = frozenset(
    {
        "boost",
        "coerce",
        "copy_to",
        "dynamic",
        "eager_global_ordinals",
        "fielddata",
        "fielddata_frequency_filter",
        "ignore_above",
        "ignore_malformed",
        "ignore_z_value",
        "max_input_length",
        "meta",
        "orientation",
        "path",
        "relations",
        "search_analyzer",
        "search_quote_analyzer",
        "split_queries_on_whitespace",
        "use_similarity",
    }
)
"""Parameters that can be changed in place. `norms` is not listed: it can be switched off, but not on."""

STICKY: Final = frozenset({"coerce", "ignore_malformed", "ignore_z_value", "orientation"})
"""Parameters that geo fields keep if a put omits them. The default must be put explicitly."""

DEFAULTS: Final[Mapping[str, Any]] = {
    "analyzer": "default",
    "boost": 1.0,
    "coerce": True,
    "copy_to": [],
    "doc_values": True,
    "eager_global_ordinals": False,
    "enable_position_increments": True,
    "enabled": True,
    "fielddata": False,
    "fielddata_frequency_filter": None,
    "format": "strict_date_optional_time||epoch_millis",
    "ignore_above": 2_147_483_647,
    "ignore_malformed": False,
    "ignore_z_value": True,
    "include_in_parent": False,
    "include_in_root": False,
    "index": True,
    "index_options": "docs",
    "index_phrases": False,
    "index_prefixes": None,
    "locale": "",
    "max_input_length": 50,
    "max_shingle_size": 3,
    "meta": {},
    "normalizer": "default",
    "norms": False,
    "null_value": None,
    "orientation": "right",
    "position_increment_gap": 100,
    "positive_score_impact": True,
    "print_format": "strict_date_optional_time",
    "preserve_position_increments": True,
    "preserve_separators": True,
    "similarity": "BM25",
    "skip_list": False,
    "split_queries_on_whitespace": False,
    "store": False,
    "term_vector": "no",
    "use_similarity": False,
}

DEFAULTS_OF_TYPES: Final[Mapping[tuple[str, str], Any]] = {
    ("binary", "doc_values"): False,
    ("completion", "analyzer"): "simple",
    ("geo_shape", "coerce"): False,
    ("hll", "index"): False,
    ("hll", "precision"): 14,
    ("join", "eager_global_ordinals"): True,
    ("match_only_text", "index_options"): "positions",
    ("match_only_text", "norms"): True,
    ("search_as_you_type", "doc_values"): False,
    ("search_as_you_type", "index_options"): "positions",
    ("search_as_you_type", "norms"): True,
    ("text", "index_options"): "positions",
    ("text", "norms"): True,
}
"""Defaults by type and parameter, for types that differ from DEFAULTS."""

ROOT_UPDATABLE: Final = frozenset(
    {"_meta", "date_detection", "dynamic", "dynamic_date_formats", "dynamic_templates", "numeric_detection"}
)
"""Top-level members of a mapping that can be changed in place."""

ROOT_DEFAULTS: Final[Mapping[str, Any]] = {
    "_field_names": {"enabled": True},
    "_meta": {},
    "_routing": {"required": False},
    "_source": {"enabled": True},
    "date_detection": True,
    "dynamic": True,
    "dynamic_date_formats": ["strict_date_optional_time", "yyyy/MM/dd HH:mm:ss Z||yyyy/MM/dd Z"],
    "dynamic_templates": [],
    "enabled": True,
    "numeric_detection": False,
}

STATIC_SETTINGS: Final = (
    "analysis",
    "append_only",
    "codec",
    "composite_index",
    "knn",
    "load_fixed_bitset_filters_eagerly",
    "mapping.coerce",
    "mapping.ignore_malformed",
    "number_of_routing_shards",
    "number_of_shards",
    "queries.cache.enabled",
    "query.parse.allow_unmapped_fields",
    "replication",
    "routing_partition_size",
    "shard.check_on_startup",
    "similarity",
    "soft_deletes",
    "sort",
    "store",
)
"""Settings, and groups of them, that an open index cannot change. Others are dynamic unless the server refuses."""


def default_of(definition: Mapping[str, Any], parameter: str) -> Any:
    """Return the value of a parameter that a field's definition omits; UNKNOWN if it is not listed here."""
    if parameter == "search_analyzer":
        return value_of(definition, "analyzer")
    if parameter == "search_quote_analyzer":
        return value_of(definition, "search_analyzer")
    kind = (definition.get("type", "object"), parameter)
    return DEFAULTS_OF_TYPES[kind] if kind in DEFAULTS_OF_TYPES else DEFAULTS.get(parameter, UNKNOWN)


def value_of(definition: Mapping[str, Any], parameter: str) -> Any:
    """Return the declared value of a field's parameter, or its default."""
    return definition[parameter] if parameter in definition else default_of(definition, parameter)


def is_static(setting: str) -> bool:
    """True if a setting (dotted name without `index.`) cannot be changed in an open index."""
    return any(setting == name or setting.startswith(f"{name}.") for name in STATIC_SETTINGS)
