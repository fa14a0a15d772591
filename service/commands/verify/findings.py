"""The comparison of a stored document with the document that its item should have."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from ...model.versions import MARGIN, time_of
from ...routing import Location
from ...routing.computed_fields import without
from .. import inspection
from ..index_documents import Stored
from ..inspection import ABSENT


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
    """A document that differs from its item. `fields` maps each path to the expected and the stored value.

    `belongs` is the location where the document of an orphan's item belongs, None if it has no item.
    """

    kind: Kind
    location: Location
    route: str
    key: Mapping[str, Any]
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    version: int | None = None
    belongs: Location | None = None


Verdict: TypeAlias = tuple[Kind, Mapping[str, tuple[Any, Any]]]
"""The kind of difference, and the expected and the stored value of each field that differs."""


def compare(
    wanted: Mapping[str, Any] | None,
    stored: Stored,
    read: int,
    now: float,
    versioned: bool,
    computed: Collection[str] = (),
) -> Verdict | None:
    """Compare a stored document with the expected one (None: no document). Return None if they agree.

    `read` is the lowest version that the item can have had when it was read. `now` is in Unix seconds. `computed`
    are the fields to leave out.
    """
    if wanted is None:
        return None if stored.source is None else (Kind.ORPHAN, {})
    if stored.source is None:
        return Kind.MISSING, {}
    fields = dict(differences(without(wanted, computed), without(stored.source, computed)))
    if not versioned or stored.version is None:
        return (Kind.DIFFERENT, fields) if fields else None
    if time_of(stored.version) > now + MARGIN:
        return Kind.AHEAD, fields
    if not fields:
        return None
    return (Kind.AHEAD if stored.version > read else Kind.STALE), fields


def differences(wanted: Any, stored: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Yield the dotted path of each field that differs, with the expected and the stored value.

    A missing field counts as None, because a search treats a null like a missing field.
    """
    for found in inspection.differences(wanted, stored):
        there, held = (None if value is ABSENT else value for value in (found.wanted, found.held))
        if there is not None or held is not None:
            yield found.path, (there, held)
