"""Python values to DynamoDB's typed JSON: boto3's serializer, and floats."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any


def typed(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as DynamoDB writes it: {"id": "a"} is {"id": {"S": "a"}}.

    Floats become the numbers that they are written as. Raises TypeError for what DynamoDB has no type for.
    """
    serialise = _serialise()
    return {name: serialise(_exact(value)) for name, value in item.items()}


@cache
def _serialise() -> Any:
    """Made when first used, for it imports boto3."""
    from boto3.dynamodb.types import TypeSerializer

    return TypeSerializer().serialize


def _exact(value: Any) -> Any:
    """boto3 takes no float."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, Mapping):
        return {name: _exact(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(member) for member in value]
    if isinstance(value, set | frozenset):
        return {_exact(member) for member in value}
    return value
