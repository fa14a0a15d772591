"""Fields that an ingest pipeline makes (`computed`): comparisons with the table leave them out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import reduce
from typing import Any

from ..errors import DeclarationError
from .router import BoundRoute


def without(document: Any, computed: Collection[str]) -> Any:
    """Return the document without its computed fields, and without the objects that only had such fields."""
    return reduce(_without, computed, document)


def check_document(bound: BoundRoute, document: Any) -> None:
    """Raise DeclarationError if a route itself returns a field that its pipeline makes: the two would compete."""
    for path in bound.computed:
        if _has(document, path):
            raise DeclarationError(
                f"{bound.name} returns the field {path} in its document, but declares it in `computed` as made by"
                " an ingest pipeline. Leave it out of the document, or out of `computed`"
            )


def _has(value: Any, path: str) -> bool:
    if isinstance(value, list):
        return any(_has(member, path) for member in value)
    return isinstance(value, Mapping) and any(
        name == path or (path.startswith(f"{name}.") and _has(member, path[len(name) + 1 :]))
        for name, member in value.items()
    )


def _without(value: Any, path: str) -> Any:
    if isinstance(value, list):
        return [_without(member, path) for member in value]
    if not isinstance(value, Mapping):
        return value
    rest: dict[str, Any] = {}
    for name, member in value.items():
        if name == path:
            continue
        if path.startswith(f"{name}."):
            left = _without(member, path[len(name) + 1 :])
            if left or not isinstance(member, Mapping):
                rest[name] = left
        else:
            rest[name] = member
    return rest
