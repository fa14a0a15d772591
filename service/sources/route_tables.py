"""Find the tables that routes subscribe to."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

from ..context import Context
from ..pipeline.error_outcomes import reaching
from ..routing import BoundRoute, Names, TableRoute
from ..routing.patterns import is_plain, matches

logger = logging.getLogger(__name__)


def tables_of(routes: Iterable[BoundRoute], names: Names, context: Context) -> list[str]:
    """Return the existing names of the routes' tables. A pattern is matched against all tables of the account.

    Raises Halt and Unreachable.
    """
    patterns = [bound.route.table for bound in routes if isinstance(bound.route, TableRoute)]
    found = {names.actual("table", pattern) for pattern in patterns if is_plain(pattern)}
    open_ended = [pattern for pattern in patterns if not is_plain(pattern)]
    if open_ended:
        with reaching("listing the DynamoDB tables"):
            found |= {table for table in _all_tables(context) if _fits(table, open_ended, names, context)}
    return sorted(found)


def _fits(table: str, patterns: Sequence[str], names: Names, context: Context) -> bool:
    """True if a table matches a pattern and has a stream."""
    logical = names.logical("table", table)
    if logical is None or not any(matches(pattern, logical) for pattern in patterns):
        return False
    description = context.dynamodb.describe_table(TableName=table)["Table"]
    if description.get("StreamSpecification", {}).get("StreamEnabled"):
        return True
    logger.warning("table ignored: it has no stream", extra={"table": table})
    return False


def _all_tables(context: Context) -> Iterator[str]:
    for page in context.dynamodb.get_paginator("list_tables").paginate():
        yield from page["TableNames"]
