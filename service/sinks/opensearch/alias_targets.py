"""The indices behind a name that routes write, by their aliases.

The state of a rebuild is nothing but aliases, which the server changes all at once. Of the index `images`:

| alias | the index |
|---|---|
| `images` | is searched and written |
| `images--also` | is a copy: it gets every write, too |
| `images--new` | was made to replace the one that is searched, and has not done so |
| `images--old` | was replaced |

An index that is `--new` or `--old` and no copy any longer is stale: it has missed a write. The name of an index
that was dropped stays as an alias that cannot be written, so that a late write does not create the index again.
Every writer looks at the aliases every few seconds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, TypeAlias

from ...clients.search.response_reader import Aliases, aliases_in
from ...context import Context
from ...errors import Halt

ALSO: Final = "--also"
NEW: Final = "--new"
OLD: Final = "--old"
"""The suffixes of the aliases in the table above."""

SEEN_FOR: Final = 5.0
"""Seconds that a writer goes by what it has seen."""

AT_ONCE: Final = 20


@dataclass(frozen=True)
class Target:
    """The indices behind a name.

    `live` is the index that is searched, "" for none. `also` are its copies; of these and of `stale`, which have
    missed writes, `old` are the indices that were replaced. `taken` are all indices that are named as those behind
    the name are, `dropped` the names of those that are gone, `behind` all that the alias is on.
    """

    name: str
    live: str
    also: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[str, ...]:
        """The indices that are searched under the alias and get none of its writes."""
        return tuple(index for index in self.behind if index != self.live)

    @property
    def is_alias(self) -> bool:
        return bool(self.live) and self.live != self.name

    @property
    def building(self) -> tuple[str, ...]:
        """The copies that are to replace the index which is searched."""
        return tuple(index for index in self.also if index not in self.old)

    @property
    def kept(self) -> tuple[str, ...]:
        """The copies that were replaced."""
        return tuple(index for index in self.also if index in self.old)

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
        """A name for a new index behind the alias, which no late write is meant for."""
        taken = (*self.taken, *self.dropped)
        return f"{self.name}-{max((int(name[-6:]) for name in taken), default=0) + 1:06d}"


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
    aliases = {index: of["aliases"] for index, of in indices.items()}
    behind = [index for index in aliases if name in aliases[index]]
    writable = [index for index in behind if aliases[index][name].get("is_write_index")]
    if len(behind) > 1 and len(writable) != 1:
        raise Halt(f"the alias {name} is on {', '.join(behind)}: leave one, or say which is its write index")
    live = name if name in indices else next(iter(writable or behind), "")

    def having(*suffixes: str) -> tuple[str, ...]:
        found = [
            index for index in aliases if index != live and {name + s for s in suffixes} & set(aliases[index])
        ]
        return tuple(sorted(found))

    also = having(ALSO)
    return Target(
        name,
        live,
        also,
        behind=tuple(sorted(behind)),
        taken=tuple(sorted(index for index in indices if is_behind(name, index))),
        stale=tuple(index for index in having(NEW, OLD) if index not in also),
        old=having(OLD),
        dropped=tuple(sorted(alias for of in aliases.values() for alias in of if is_behind(name, alias))),
    )


def is_behind(name: str, index: str) -> bool:
    """True if the service would name an index behind the alias `name` so."""
    return re.fullmatch(re.escape(name) + r"-\d{6}", index) is not None


Action: TypeAlias = Mapping[str, Mapping[str, Any]]
"""A part of a change of aliases."""


def add(index: str, alias: str, properties: Mapping[str, Any] | None = None) -> Action:
    return {"add": {"index": index, "alias": alias, **(properties or {})}}


def remove(index: str, alias: str) -> Action:
    """Takes an alias away, if the index has it."""
    return {"remove": {"index": index, "alias": alias}}


def require(index: str, alias: str) -> Action:
    """Takes an alias away; the whole change is refused (404) if the index does not have it."""
    return {"remove": {"index": index, "alias": alias, "must_exist": True}}


def drop(index: str, live: str) -> list[Action]:
    """Deletes an index. Its name stays as an alias on `live`, "" for none, that cannot be written.

    Without it a write that was on its way to the index would create it again, with guessed mappings. The server
    refuses the write instead ("no write index is defined for alias").
    """
    actions: list[Action] = [{"remove_index": {"index": index}}]
    return [*actions, add(live, index, {"is_write_index": False})] if live else actions


def change_aliases(context: Context, *actions: Action) -> None:
    """Carries the actions out, all at once. Raises what opensearch-py raises."""
    from opensearchpy.exceptions import RequestError

    try:
        context.search.indices.update_aliases(body={"actions": list(actions)})
    except RequestError as error:
        if "must_exist" not in str(error.info):
            raise
        # Elasticsearch 7.10 does not have it: there two changes at the same moment are not told from each other.
        plain = [
            {kind: {k: v for k, v in of.items() if k != "must_exist"} for kind, of in a.items()} for a in actions
        ]
        context.search.indices.update_aliases(body={"actions": plain})
