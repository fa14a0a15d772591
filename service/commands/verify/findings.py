"""What a document should be, what it is, and how the two differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from ...model.versions import MARGIN, time_of
from .. import inspection
from ..index_documents import Stored
from ..inspection import ABSENT


class Kind(StrEnum):
    """How an index can differ from its table."""

    MISSING = "missing"
    """The item has no document."""
    GHOST = "ghost"
    """The document has no item, or one that should not be searchable."""
    OLDER = "older"
    """The document differs, and its version is from before the item was read."""
    NEWER = "newer"
    """The document differs, or has a version of a time to come, which keeps out all changes until then."""
    DIFFERENT = "different"
    """The document differs, in an index that keeps no versions to tell more by."""


@dataclass(frozen=True)
class Finding:
    """A document that is not what its item makes it. `fields` holds what should be there and what is."""

    kind: Kind
    index: str
    id: str
    route: str
    key: Mapping[str, Any]
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    version: int | None = None


Verdict: TypeAlias = tuple[Kind, Mapping[str, tuple[Any, Any]]]
"""How a document differs, and in which fields."""


def compare(
    wanted: Mapping[str, Any] | None, stored: Stored, read: int, now: float, versioned: bool
) -> Verdict | None:
    """How a stored document differs from the one that is wanted (None for none); None where it does not.

    `read` is the version that the item had at least when it was read, `now` the time in Unix seconds.
    """
    if wanted is None:
        return None if stored.source is None else (Kind.GHOST, {})
    if stored.source is None:
        return Kind.MISSING, {}
    fields = dict(differences(wanted, stored.source))
    if not versioned or stored.version is None:
        return (Kind.DIFFERENT, fields) if fields else None
    if time_of(stored.version) > now + MARGIN:
        return Kind.NEWER, fields
    if not fields:
        return None
    return (Kind.NEWER if stored.version > read else Kind.OLDER), fields


def differences(wanted: Any, stored: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """The fields that differ, by their dotted paths, each with both values. None for one that is not there: to a
    search a null is the same."""
    for found in inspection.differences(wanted, stored):
        there, held = (None if value is ABSENT else value for value in (found.wanted, found.held))
        if there is not None or held is not None:
            yield found.path, (there, held)
