"""Indices that the service creates: one way, whoever creates them."""

from __future__ import annotations

from typing import Any, Final

from ...context import Context
from ...routing import IndexDeclaration
from ...settings import Settings
from .alias_targets import Target, look

DOUBLES: Final = [
    {f"streamdex_{kind}": {"match_mapping_type": kind, "mapping": {"type": "double"}}}
    for kind in ("long", "double")
]
"""Dynamic templates for whole numbers and fractions in JSON.

DynamoDB has one type of number. Without them the first number of a field decides: after 10 the field is a `long`,
which cuts off the fraction of 12.5 ("Dynamic templates", OpenSearch and Elasticsearch documentation).
"""


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
    """Return the settings and mappings that an index is created with: what its routes declare, and our defaults.

    An index remembers the versions of deleted documents for longer than OpenSearch's default of a minute
    (`index.gc_deletes`), maps text that looks like a date as text, and maps undeclared numbers as double
    (`undeclared_numbers`). A declaration can change each of these. Aliases are left out: an index that is only
    being filled must not be found through them.
    """
    mapping = {"date_detection": False, **declared.mapping}
    if settings.undeclared_numbers == "double":
        # The first template that matches decides, so those of the routes come first.
        mapping["dynamic_templates"] = [*mapping.get("dynamic_templates", ()), *DOUBLES]
    return {
        "settings": {"index": {"gc_deletes": settings.gc_deletes, **declared.settings}},
        "mappings": mapping,
    }
