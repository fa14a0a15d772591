"""Which records of a stream a mapping has to deliver, as far as its filters can say so.

A pattern of Lambda knows equality and beginnings of text, and of DynamoDB events what is under `dynamodb` ("Using
event filtering with a DynamoDB event source", Lambda Developer Guide). What it cannot say, the route asks again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from service.routing import TableRoute
from service.routing.patterns import is_plain

MOST: Final = 5
"""Filters of a mapping, without a raised quota ("Control which events Lambda sends to your function")."""


def filters_of(routes: Iterable[TableRoute]) -> list[str]:
    """Patterns of which at least one fits each record that any of these routes wants; none for all records."""
    patterns = [pattern_of(route) for route in routes]
    if not all(patterns):
        return []
    distinct = list(dict.fromkeys(json.dumps(pattern, sort_keys=True) for pattern in patterns))
    return distinct if len(distinct) <= MOST else []


def pattern_of(route: TableRoute) -> dict[str, Any]:
    """What fits each record that a route wants, by its key attributes alone; {} where nothing can be said."""
    rules = {attribute: rule_of(pattern) for attribute, pattern in route.where.items()}
    keys = {attribute: {route.key[attribute]: [rule]} for attribute, rule in rules.items() if rule is not None}
    return {"dynamodb": {"Keys": keys}} if keys else {}


def rule_of(pattern: str) -> str | dict[str, str] | None:
    """A pattern of `where` as a rule; None for one that fits more than a rule can say."""
    if is_plain(pattern):
        return pattern
    beginning = pattern[:-1]
    return {"prefix": beginning} if pattern.endswith("*") and beginning and is_plain(beginning) else None
