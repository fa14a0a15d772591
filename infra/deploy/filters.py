"""Derive the filters of an event source mapping from the `where` patterns of routes.

A Lambda filter pattern supports equality and text prefixes, and matches DynamoDB events only by fields under
`dynamodb` ("Using event filtering with a DynamoDB event source", Lambda Developer Guide). The route itself checks
everything that a filter cannot express.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from service.routing import TableRoute
from service.routing.patterns import is_plain

MOST: Final = 5
"""The default quota of filters for a mapping ("Control which events Lambda sends to your function")."""


def filters_of(routes: Iterable[TableRoute]) -> list[str]:
    """Return patterns that together match every record that these routes want; none if they want all records."""
    patterns = [pattern_of(route) for route in routes]
    if not all(patterns):
        return []
    distinct = list(dict.fromkeys(json.dumps(pattern, sort_keys=True) for pattern in patterns))
    return distinct if len(distinct) <= MOST else []


def pattern_of(route: TableRoute) -> dict[str, Any]:
    """Return a pattern on key attributes that matches every record that a route wants; {} if there is none."""
    rules = {attribute: rule_of(pattern) for attribute, pattern in route.where.items()}
    keys = {attribute: {route.key[attribute]: [rule]} for attribute, rule in rules.items() if rule is not None}
    return {"dynamodb": {"Keys": keys}} if keys else {}


def rule_of(pattern: str) -> str | dict[str, str] | None:
    """Return a `where` pattern as a filter rule; None if a rule cannot express it."""
    if is_plain(pattern):
        return pattern
    beginning = pattern[:-1]
    return {"prefix": beginning} if pattern.endswith("*") and beginning and is_plain(beginning) else None
