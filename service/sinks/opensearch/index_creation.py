"""Create indices. Every command and the sink use these functions."""

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
"""Dynamic templates that map undeclared JSON numbers, whole or not, as double.

DynamoDB has one type of number. Without these templates the first number of a field decides: after 10 the field is
a `long`, which drops the fraction of 12.5 ("Dynamic templates", OpenSearch and Elasticsearch documentation).
"""


NAME_ERRORS: Final = ("invalid_alias_name_exception", "invalid_index_name_exception")
"""The server's errors for a name that it does not accept (tried on OpenSearch 3.6.0, Elasticsearch 7.10.2)."""


def create_missing(context: Context, declared: IndexDeclaration) -> Target:
    """Create an index and its alias if it is missing. Return its target.

    Raises Halt, and what opensearch-py raises.
    """
    target = look(context, [declared.name])[declared.name]
    return target if target.live else create_behind(context, declared, target)


def create_behind(context: Context, declared: IndexDeclaration, target: Target) -> Target:
    """Create an index for a missing alias, with all its other aliases. Return its target.

    Raises Halt, and what opensearch-py raises.
    """
    create(context, declared, target.next, declared.name, *declared.aliases)
    return look(context, [declared.name])[declared.name]


def create(context: Context, declared: IndexDeclaration, index: str, *aliases: str) -> bool:
    """Create an index from its declaration, with only the given aliases. False if it exists already.

    Raises what opensearch-py raises.
    """
    from opensearchpy.exceptions import RequestError

    body = {**index_body(declared, context.settings), "aliases": {alias: {} for alias in aliases}}
    try:
        context.search.indices.create(index=index, body=body)
    except RequestError as error:
        if error.error != "resource_already_exists_exception":
            raise
        return False  # another process has created it
    return True


def index_body(declared: IndexDeclaration, settings: Settings) -> dict[str, Any]:
    """Return the settings and mappings of a new index: the routes' declarations and the defaults of the service.

    By default an index remembers the versions of deleted documents for longer than OpenSearch's minute
    (`index.gc_deletes`), maps text that resembles a date as text, and maps undeclared numbers as double
    (`undeclared_numbers`). A declaration can change each of these. Aliases are left out: an index that is still
    being filled must not be found through them.
    """
    mapping = {"date_detection": False, **declared.mapping}
    if settings.undeclared_numbers == "double":
        # The first matching template decides, so the routes' templates come first.
        mapping["dynamic_templates"] = [*mapping.get("dynamic_templates", ()), *DOUBLES]
    return {
        "settings": {"index": {"gc_deletes": settings.gc_deletes, **declared.settings}},
        "mappings": mapping,
    }
