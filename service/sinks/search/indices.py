"""Indices that the service creates before their first write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...context import Context
from .targets import Target, look


def create_missing(context: Context, name: str, mapping: Mapping[str, Any]) -> Target:
    """Creates an index behind its alias, unless there is one; how it is then.

    Raises Halt, LeaseLost, and what opensearch-py raises.
    """
    target = look(context, [name])[name]
    return target if target.live else create_behind(context, target, mapping)


def create_behind(context: Context, target: Target, mapping: Mapping[str, Any]) -> Target:
    """Creates an index behind an alias that is not there; how it is then. Raises what opensearch-py raises."""
    create(context, target.next, {**index_body(context, mapping), "aliases": {target.name: {}}})
    return look(context, [target.name])[target.name]


def create(context: Context, index: str, body: Mapping[str, Any]) -> None:
    """Creates an index, unless another process was faster. Raises LeaseLost, and what opensearch-py raises."""
    from opensearchpy.exceptions import RequestError

    context.check()
    try:
        context.search.indices.create(index=index, body=body)
    except RequestError as error:
        if error.error != "resource_already_exists_exception":
            raise


def index_body(context: Context, mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The settings and mappings that an index is created with.

    It remembers the versions of deleted documents for longer than OpenSearch's default of a minute
    (`index.gc_deletes`), and takes text that looks like a date for text unless the mapping says otherwise.
    """
    return {
        "settings": {"index": {"gc_deletes": context.settings.gc_deletes}},
        "mappings": {"date_detection": False, **mapping},
    }
