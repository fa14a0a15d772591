"""How a document differs from what an index holds, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

ABSENT: Final = object()
"""The value of a field that is not there."""

Fields: TypeAlias = dict[str, tuple[Any, Any]]
"""What differs, by the path of its field: the value that is there, and the new one; ABSENT for none."""


@dataclass(frozen=True)
class Stored:
    """A document as an index holds it."""

    source: Mapping[str, Any]
    version: int | None


def compare(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> Fields:
    """What differs of two documents, as JSON has them. A list is compared whole."""
    old, new = dict(leaves(there)), dict(leaves(wanted))
    paths = [*new, *(path for path in old if path not in new)]
    pairs = {path: (old.get(path, ABSENT), new.get(path, ABSENT)) for path in paths}
    return {path: pair for path, pair in pairs.items() if not alike(*pair)}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a document by their dotted paths; an empty object is one."""
    if isinstance(value, Mapping) and (value or not path):
        for name, member in value.items():
            yield from leaves(member, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def alike(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
