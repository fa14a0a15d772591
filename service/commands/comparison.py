"""Compare the document that a location should have with the stored one, field by field."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import Any, Final

import orjson

from ..pipeline import Write
from ..pipeline.document_json import text_of
from ..routing import Index
from ..routing.computed_fields import without

ABSENT: Final = object()
"""The marker for a missing value. None is a value: null in JSON."""


@dataclass(frozen=True)
class Stored:
    """A document in an index. `source` is None if the document does not exist, `version` if it has no version."""

    version: int | None = None
    source: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Difference:
    """One value that differs between two documents; ABSENT on the side that lacks it."""

    path: str
    wanted: Any
    held: Any


class Match(Enum):
    """The relation of a stored document to the expected one."""

    SAME = auto()
    MISSING = auto()
    EXTRA = auto()
    """A document is stored, and none is expected."""
    CHANGED = auto()


@dataclass(frozen=True)
class Comparison:
    """An expected document (None: no document) and the stored one.

    `version` is the version with which the expected document would be written. `computed` are fields to leave out.
    """

    expected: Mapping[str, Any] | None
    stored: Stored
    version: int | None
    computed: Collection[str] = ()

    @cached_property
    def fields(self) -> tuple[Difference, ...]:
        """The values that differ: all values of a missing document, none if no document is expected."""
        if self.expected is None:
            return ()
        wanted, held = (without(one, self.computed) for one in (self.expected, self.stored.source or {}))
        return tuple(differences(wanted, held))

    @property
    def match(self) -> Match:
        if self.stored.source is None:
            return Match.SAME if self.expected is None else Match.MISSING
        if self.expected is None:
            return Match.EXTRA
        return Match.CHANGED if self.fields else Match.SAME

    @property
    def is_older(self) -> bool:
        """True if the stored document has a higher version than the expected one."""
        return self.version is not None and self.stored.version is not None and self.version < self.stored.version


def document_of(write: Write) -> Any:
    """Return the document as it is sent to the index; None for a delete. Raises ValueError if it is not JSON."""
    if not isinstance(write.action, Index):
        return None
    try:
        return orjson.loads(text_of(write.action))
    except TypeError as error:
        raise ValueError(str(error)) from error


def differences(wanted: Any, held: Any, path: str = "") -> Iterator[Difference]:
    """Yield the differences between two documents, each with its dotted path."""
    if isinstance(wanted, Mapping) and isinstance(held, Mapping):
        for name in dict.fromkeys([*wanted, *held]):
            inner = f"{path}.{name}" if path else str(name)
            yield from differences(wanted.get(name, ABSENT), held.get(name, ABSENT), inner)
    elif not _alike(wanted, held):
        yield Difference(path, wanted, held)


def by_path(fields: Iterable[Difference], **names: str) -> dict[str, dict[str, Any]]:
    """Return differences for JSON, by path. `names` are the names for `wanted` and `held`; ABSENT is left out."""
    return {
        one.path: {name: value for side, name in names.items() if (value := getattr(one, side)) is not ABSENT}
        for one in fields
    }


def _alike(one: Any, other: Any) -> bool:
    """True if two values are the same JSON. Needed because True == 1 in Python."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
