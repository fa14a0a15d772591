"""The place of a route's documents: the index and the routing value of each, as functions of its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import Reject, Skip
from .index_names import name_in
from .routes import Route

LONGEST_SHOWN = 100
"""Maximum characters of a name in an error text."""


@dataclass(frozen=True, slots=True)
class Location:
    """The location of a document: the actual name of its index, its id, and its routing value (None for none)."""

    index: str
    id: str
    routing: str | None = None


@dataclass(frozen=True, eq=False)
class Placement:
    """The methods `index_of` and `routing_of` of a route.

    `pattern` is the actual name of the route's index or index pattern. `by_index` and `by_routing` are true if the
    route has the method. `only` names one index of the pattern and the index that is filled instead of it.
    """

    route: Route
    name: str
    pattern: str
    by_index: bool
    by_routing: bool
    only: tuple[str, str] | None = None

    def of(self, keys: Mapping[str, Any]) -> tuple[str, str | None]:
        """Return the actual name of the index of the document with this key, and its routing value.

        Raises Reject for an answer of the route that cannot be used, Skip if another index is being filled, and
        the errors of the route.
        """
        index = self._index(keys) if self.by_index else self.pattern
        return index, self._routing(keys) if self.by_routing else None

    def _index(self, keys: Mapping[str, Any]) -> str:
        name = self.route.index_of(keys)
        if not isinstance(name, str):
            raise Reject(f"{self.name}.index_of() returned {type(name).__name__}: return the name of an index")
        actual, problem = name_in(self.route.index, self.pattern, name)
        if problem and self.only is not None:
            raise Skip(f"the document belongs to no index: {problem}")
        if problem:
            raise Reject(f"{self.name}.index_of() returned {name[:LONGEST_SHOWN]!r}: {problem}")
        if self.only is None:
            return actual
        if actual != self.only[0]:
            raise Skip(f"the document belongs to another index than {self.only[0]}")
        return self.only[1]

    def _routing(self, keys: Mapping[str, Any]) -> str:
        value = self.route.routing_of(keys)
        if not isinstance(value, str) or not value:
            kind = "an empty text" if value == "" else type(value).__name__
            raise Reject(f"{self.name}.routing_of() returned {kind}: return a text")
        return value
