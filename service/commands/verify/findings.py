"""The kinds of difference between stored documents and the documents that items should have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from ...model.versions import MARGIN, time_of
from ...routing import Location
from ..comparison import ABSENT, Comparison, Difference


class Kind(StrEnum):
    """The kinds of difference between an index and its table."""

    MISSING = "missing"
    """The item has no document."""
    ORPHAN = "orphan"
    """The document has no item, or an item that should have no document."""
    STALE = "stale"
    """The document differs, and its version is not higher than that of the item when it was read."""
    AHEAD = "ahead"
    """The document differs and its version is higher, or its version is in the future and blocks all changes until
    then."""
    DIFFERENT = "different"
    """The document differs, and it has no version to compare."""


@dataclass(frozen=True)
class Finding:
    """A document that differs from its item, and the fields that differ.

    `belongs` is the location where the document of an orphan's item belongs, None if it has no item.
    """

    kind: Kind
    location: Location
    route: str
    key: Mapping[str, Any]
    fields: Sequence[Difference] = ()
    version: int | None = None
    belongs: Location | None = None


Verdict: TypeAlias = tuple[Kind, Sequence[Difference]]
"""The kind of difference, and the fields that differ."""


def verdict_of(found: Comparison, now: float, versioned: bool) -> Verdict | None:
    """Return how a stored document differs from the expected one; None if they agree.

    The version of the comparison is the lowest that the item can have had when it was read. `now` is in Unix
    seconds.
    """
    there = found.stored
    if found.expected is None:
        return None if there.source is None else (Kind.ORPHAN, ())
    if there.source is None:
        return Kind.MISSING, ()
    fields = list(visible(found.fields))
    if not versioned or there.version is None:
        return (Kind.DIFFERENT, fields) if fields else None
    if time_of(there.version) > now + MARGIN:
        return Kind.AHEAD, fields
    if not fields:
        return None
    return (Kind.AHEAD if found.is_older else Kind.STALE), fields


def visible(fields: Iterable[Difference]) -> Iterator[Difference]:
    """Yield the differences that a search sees. To it, a null is like a missing field: both count as None."""
    for one in fields:
        wanted, held = (None if value is ABSENT else value for value in (one.wanted, one.held))
        if wanted is not None or held is not None:
            yield Difference(one.path, wanted, held)
