"""What an index says of its fields, against what a route's mapping says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...routing import BoundRoute
from ..tables import fills_index
from .cluster import FULL
from .findings import ERROR, WARNING, Finding


def check_mapping(index: str, mapping: Mapping[str, Any], bound: BoundRoute) -> Iterator[Finding]:
    """Fields that the index has with another type, and those that it does not have yet."""
    declared = dict(types_of(bound.route.mapping))
    there = dict(types_of(mapping))
    other = [
        f"{path} is {there[path]}, not {kind}" for path, kind in declared.items() if there.get(path, kind) != kind
    ]
    if other:
        yield Finding(
            "mapping",
            f"index {index}",
            f"it is not as {bound.name} declares it: {'; '.join(other)}",
            f"a field's type stays: {_renewal(bound)}",
            ERROR,
        )
    missing = [path for path in declared if path not in there]
    if missing:
        yield Finding(
            "mapping",
            f"index {index}",
            f"it lacks what {bound.name} declares: {', '.join(missing)}; the first document decides their types",
            f"PUT /{index}/_mapping with the properties of the route's mapping",
            WARNING,
        )
    said, found = (str(part.get("dynamic", "true")).lower() for part in (bound.route.mapping, mapping))
    if "dynamic" in bound.route.mapping and said != found:
        problem = f"its mapping has dynamic={found}, and {bound.name} declares {said}"
        remedy = f'PUT /{index}/_mapping {{"dynamic": "{said}"}}'
        yield Finding("mapping", f"index {index}", problem, remedy, WARNING)


def _renewal(bound: BoundRoute) -> str:
    if fills_index(bound):
        return f"`python -m service backfill --route={bound.name} --rebuild` makes a new index"
    return "make a new index with the route's mapping, fill it, and move the alias to it"


def check_fields(index: str, mapping: Mapping[str, Any], most: int) -> Iterator[Finding]:
    """An index that has as many fields as it may refuses documents with others."""
    there = len(dict(types_of(mapping)))
    if there >= FULL * most:
        yield Finding(
            "limits",
            f"index {index}",
            f"{there} of the {most} fields that it may have are there (index.mapping.total_fields.limit): at the"
            " limit documents with new ones are rejected",
            'index fewer fields ("dynamic": false, flat_object), or raise the limit',
            WARNING,
        )


def types_of(mapping: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """The fields of a mapping by their full names, with their types; objects and multi-fields are fields too."""
    for part in ("properties", "fields"):
        for name, field in mapping.get(part, {}).items():
            yield f"{path}{name}", str(field.get("type", "object"))
            yield from types_of(field, f"{path}{name}.")
