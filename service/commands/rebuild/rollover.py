"""Detect an alias on more indices than the written one, which a rollover causes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...program import PROGRAM
from ...sinks.opensearch.alias_targets import Target, remove

SETTINGS: Final = (
    "index.plugins.index_state_management.rollover_alias",
    "index.opendistro.index_state_management.rollover_alias",
    "index.lifecycle.rollover_alias",
)
"""The settings that make OpenSearch and Elasticsearch roll an alias over ("Index State Management", "ILM")."""


def problem_of(target: Target) -> str:
    """Return why searches find documents twice or after deletion; "" if the alias is on one index."""
    if not target.others:
        return ""
    others = ", ".join(target.others)
    return (
        f"it points to {target.live}, which is written, and to {others}: searches find changed documents twice"
        " and still find deleted documents"
    )


def remedy_of(target: Target) -> str:
    """Return the steps that leave one index with all documents."""
    actions = json.dumps({"actions": [remove(index, target.name) for index in target.others]})
    return (
        f"stop the rollover, send POST /_aliases {actions}, then run `{PROGRAM} verify --repair` to write the"
        f" documents that {target.live} lacks"
    )


def rolled_by(name: str, settings: Mapping[str, Any]) -> Iterator[str]:
    """Return the settings that will roll the alias `name` over. `settings` are flat index settings."""
    return (setting for setting in SETTINGS if settings.get(setting) == name)
