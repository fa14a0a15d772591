"""Where writes for an index go: to the index behind its alias and, while it is rebuilt, to another one also.

The state of a rebuild is nothing but aliases, which the server changes all at once: `images` is on the index that
is searched, and `images--also` on those that get the same writes. Every writer looks again every few seconds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, TypeAlias

from ...context import Context
from ...errors import Halt
from ...search.answers import Aliases, aliases_in

ALSO: Final = "--also"
"""What the alias of the indices that get the same writes ends in."""

SEEN_FOR: Final = 5.0
"""Seconds that a writer goes by what it has seen."""

AT_ONCE: Final = 20


@dataclass(frozen=True)
class Target:
    """An index as routes name it: `live` is the one that is searched, "" for none, `also` get the same writes.

    `taken` are all indices that are named as those behind it are, `behind` all that the alias is on.
    """

    name: str
    live: str
    also: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[str, ...]:
        """The indices that are searched under the alias and get none of its writes."""
        return tuple(index for index in self.behind if index != self.live)

    @property
    def is_alias(self) -> bool:
        return bool(self.live) and self.live != self.name

    @property
    def meta(self) -> dict[str, Any]:
        """What the action of a write says of its index. An alias must be one: no index may be made in its place.

        While there are copies the index is named itself, so that none is left out when the alias moves.
        """
        if self.is_alias and not self.also:
            return {"_index": self.name, "require_alias": True}
        return {"_index": self.live or self.name}

    @property
    def next(self) -> str:
        """A name for a new index behind the alias."""
        numbers = [int(found[1]) for name in self.taken if (found := re.fullmatch(r".*-(\d{6})", name))]
        return f"{self.name}-{max(numbers, default=0) + 1:06d}"


class SeenTargets:
    """Indices as they were seen, for SEEN_FOR seconds. Threads share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._lock = Lock()
        self._seen: dict[str, tuple[Target, float]] = {}

    def find(self, names: Iterable[str], look: Callable[[list[str]], dict[str, Target]]) -> dict[str, Target]:
        """Return indices by their names; `look` finds those not seen lately. Raises what `look` raises."""
        now = self._clock()
        with self._lock:
            known = {n: self._seen[n][0] for n in names if n in self._seen and now - self._seen[n][1] <= SEEN_FOR}
        missing = [name for name in names if name not in known]
        if not missing:
            return known
        found = look(missing)
        with self._lock:
            self._seen |= {name: (target, now) for name, target in found.items()}
        return known | found

    def forget(self, *names: str) -> None:
        """Have indices looked at again; all of them without names."""
        with self._lock:
            for name in names or list(self._seen):
                self._seen.pop(name, None)


def look(context: Context, names: Iterable[str]) -> dict[str, Target]:
    """Return how indices are at this moment. Raises Halt, LeaseLost, UnexpectedAnswer, and what opensearch-py
    raises."""
    found: dict[str, Target] = {}
    ordered = sorted(names)
    for group in (ordered[place : place + AT_ONCE] for place in range(0, len(ordered), AT_ONCE)):
        context.check()
        indices = aliases_in(context.search.indices.get_alias(index=",".join(f"{name}*" for name in group)))
        found |= {name: target_of(name, indices) for name in group}
    return found


def target_of(name: str, indices: Aliases) -> Target:
    """Return an index by the answer to GET NAME*/_alias. Raises Halt for an alias that takes no writes."""
    behind = [index for index, of in indices.items() if name in of["aliases"]]
    writable = [index for index in behind if indices[index]["aliases"][name].get("is_write_index")]
    if len(behind) > 1 and len(writable) != 1:
        raise Halt(f"the alias {name} is on {', '.join(behind)}: leave one, or say which is its write index")
    live = name if name in indices else next(iter(writable or behind), "")
    also = [index for index, of in indices.items() if name + ALSO in of["aliases"] and index != live]
    taken = [index for index in indices if re.fullmatch(re.escape(name) + r"-\d{6}", index)]
    return Target(name, live, tuple(sorted(also)), tuple(sorted(taken)), tuple(sorted(behind)))


Action: TypeAlias = Mapping[str, Mapping[str, Any]]
"""A part of a change of aliases."""


def add(index: str, alias: str, properties: Mapping[str, Any] | None = None) -> Action:
    return {"add": {"index": index, "alias": alias, **(properties or {})}}


def remove(index: str, alias: str) -> Action:
    return {"remove": {"index": index, "alias": alias}}


def change_aliases(context: Context, *actions: Action) -> None:
    """Carries the actions out, all at once. Raises what opensearch-py raises."""
    context.search.indices.update_aliases(body={"actions": list(actions)})
