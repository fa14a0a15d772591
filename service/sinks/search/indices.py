"""Indices that the service creates: one body, whoever creates them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...context import Context
from ...routing import IndexDeclaration
from ...settings import Settings


def index_body(declared: IndexDeclaration, settings: Settings) -> dict[str, Any]:
    """The settings and mappings that an index is created with, as its routes declare them.

    Unless these say otherwise it remembers the versions of deleted documents for longer than OpenSearch's default
    of a minute (`index.gc_deletes`), and takes text that looks like a date for text. Aliases are left out: an
    index that is only being filled must not be found through them.
    """
    return {
        "settings": {"index": {"gc_deletes": settings.gc_deletes, **declared.settings}},
        "mappings": {"date_detection": False, **declared.mapping},
    }


def create(context: Context, index: str, body: Mapping[str, Any]) -> bool:
    """Creates an index; False where it is there already. Raises what opensearch-py raises."""
    from opensearchpy.exceptions import RequestError

    try:
        context.search.indices.create(index=index, body=body)
    except RequestError as error:
        if error.error != "resource_already_exists_exception":
            raise
        return False  # another process was faster
    return True


def create_missing(context: Context, declared: IndexDeclaration) -> bool:
    """Creates an index under its own name, with its aliases, unless there is one; whether it did.

    Raises what opensearch-py raises.
    """
    if context.search.indices.exists(index=declared.name):
        return False
    return create(context, declared.name, with_aliases(declared, context.settings))


def with_aliases(declared: IndexDeclaration, settings: Settings) -> dict[str, Any]:
    """The body of an index that is to be found through its aliases at once."""
    body = index_body(declared, settings)
    return body | {"aliases": {alias: {} for alias in declared.aliases}} if declared.aliases else body
