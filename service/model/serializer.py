"""Convert Python values to DynamoDB's typed JSON: boto3's serializer with support for floats."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any


def typed(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item as typed JSON: {"id": "a"} becomes {"id": {"S": "a"}}.

    A float becomes the decimal number of its shortest text. Raises TypeError if DynamoDB has no type for a value.
    """
    serialise = _serialise()
    return {name: serialise(_exact(value)) for name, value in item.items()}


@cache
def _serialise() -> Any:
    """Create the serializer on first use, because it imports boto3."""
    from boto3.dynamodb.types import TypeSerializer

    return TypeSerializer().serialize


def _exact(value: Any) -> Any:
    """Replace floats, which boto3 rejects, by Decimal."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, Mapping):
        return {name: _exact(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(member) for member in value]
    if isinstance(value, set | frozenset):
        return {_exact(member) for member in value}
    return value
