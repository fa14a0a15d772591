"""Indices that the service creates: one way, whoever creates them."""

from __future__ import annotations

from typing import Any

from ...context import Context
from ...routing import IndexDeclaration
from ...settings import Settings
from .targets import Target, look


def create_missing(context: Context, declared: IndexDeclaration) -> Target:
    """Creates an index behind its alias, unless there is one; how it is then.

    Raises Halt, LeaseLost, and what opensearch-py raises.
    """
    target = look(context, [declared.name])[declared.name]
    return target if target.live else create_behind(context, declared, target)


def create_behind(context: Context, declared: IndexDeclaration, target: Target) -> Target:
    """Creates an index behind an alias that is not there, with all its other aliases; how it is then.

    Raises what opensearch-py raises.
    """
    create(context, declared, target.next, declared.name, *declared.aliases)
    return look(context, [declared.name])[declared.name]


def create(context: Context, declared: IndexDeclaration, index: str, *aliases: str) -> bool:
    """Creates an index as one is declared, with no aliases but these; False where it is there already.

    Raises LeaseLost, and what opensearch-py raises.
    """
    from opensearchpy.exceptions import RequestError

    context.check()
    body = {**index_body(declared, context.settings), "aliases": {alias: {} for alias in aliases}}
    try:
        context.search.indices.create(index=index, body=body)
    except RequestError as error:
        if error.error != "resource_already_exists_exception":
            raise
        return False  # another process was faster
    return True


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
