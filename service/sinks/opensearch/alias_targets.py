"""Find the indices that a logical index name stands for, by their aliases.

Aliases hold the whole state of a rebuild, and the server changes them atomically. For the index `images`:

| alias | the index |
|---|---|
| `images` | is searched and written |
| `images--also` | is a copy: it also gets every write |
| `images--new` | was created to replace the searched index, and has not done so yet |
| `images--old` | was replaced |

An index with `--new` or `--old` that is no longer a copy is stale: it has missed a write. The name of a dropped
index stays as an alias that refuses writes, so that a late write does not create the index again. Every writer
reads the aliases every few seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

from ...clients.search.response_reader import Aliases, aliases_in
from ...context import Context
from ...errors import Halt
from ...routing.index_names import ALSO, NEW, OLD, base_of, is_behind, is_index_of
from ...routing.patterns import is_plain

AT_ONCE: Final = 20


@dataclass(frozen=True)
class Target:
    """The indices that a name stands for.

    - `live`: the index that is searched; "" for none.
    - `also`: its copies.
    - `stale`: former copies that have missed writes.
    - `old`: the replaced indices among `also` and `stale`.
    - `taken`: all indices that are named like those of this alias (`NAME-000001`).
    - `dropped`: the names of indices that were deleted.
    - `behind`: all indices that have the alias.
    - `refused`: the reason why the missing index is not created; "" for none.
    """

    name: str
    live: str
    also: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    refused: str = ""

    @property
    def others(self) -> tuple[str, ...]:
        """The indices that are searched under the alias and get none of its writes."""
        return tuple(index for index in self.behind if index != self.live)

    @property
    def is_alias(self) -> bool:
        return bool(self.live) and self.live != self.name

    @property
    def building(self) -> tuple[str, ...]:
        """The copies that are to replace the searched index."""
        return tuple(index for index in self.also if index not in self.old)

    @property
    def kept(self) -> tuple[str, ...]:
        """The copies that were replaced."""
        return tuple(index for index in self.also if index in self.old)

    @cached_property
    def meta(self) -> Mapping[str, Any]:
        """The index fields of a bulk action.

        An alias must exist (`require_alias`), so that the server creates no index in its place. While there are
        copies, the action names the index itself, so that no copy misses a write when the alias moves.
        """
        if self.is_alias and not self.also:
            return {"_index": self.name, "require_alias": True}
        return {"_index": self.live or self.name}

    @property
    def next(self) -> str:
        """The name of a new index of the alias, to which no late write can be addressed."""
        taken = (*self.taken, *self.dropped)
        return f"{self.name}-{max((int(name[-6:]) for name in taken), default=0) + 1:06d}"


def look(context: Context, names: Iterable[str]) -> dict[str, Target]:
    """Read the current targets of names from the server.

    Raises Halt, UnexpectedAnswer, and what opensearch-py raises.
    """
    found: dict[str, Target] = {}
    ordered = sorted(names)
    for group in (ordered[place : place + AT_ONCE] for place in range(0, len(ordered), AT_ONCE)):
        indices = aliases_in(context.search.indices.get_alias(index=",".join(f"{name}*" for name in group)))
        found |= {name: target_of(name, indices) for name in group}
    return found


def indices_of(context: Context, pattern: str) -> dict[str, Aliases]:
    """Read the indices of a pattern from the server, grouped by the names of the pattern that they have.

    Raises UnexpectedAnswer, and what opensearch-py raises.
    """
    wildcard = pattern if pattern.endswith("*") else f"{pattern}*"
    return grouped(pattern, aliases_in(context.search.indices.get_alias(index=wildcard)))


def grouped(pattern: str, indices: Aliases) -> dict[str, Aliases]:
    """Group the answer to GET PATTERN*/_alias by names of the pattern, which are names of indices or aliases."""
    groups: dict[str, dict[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]] = {}
    for index, of in indices.items():
        for name in {base_of(index), *map(base_of, of["aliases"])}:
            if is_index_of(pattern, name):
                groups.setdefault(name, {})[index] = of
    return dict(groups)


def names_in(groups: Mapping[str, Aliases]) -> list[str]:
    """Return the names after which indices are named, sorted.

    Other aliases, such as one for a search in several indices of the pattern, name no index of it.
    """
    return sorted(name for name, group in groups.items() if any(base_of(index) == name for index in group))


def look_for(context: Context, name: str) -> list[Target]:
    """Read the target of an index, or the existing targets of a pattern in the order of their names.

    Raises Halt, UnexpectedAnswer, and what opensearch-py raises.
    """
    if is_plain(name):
        return [look(context, [name])[name]]
    groups = indices_of(context, name)
    found = [target_of(one, groups[one]) for one in names_in(groups)]
    return [target for target in found if target.live]


def target_in(groups: Mapping[str, Aliases], name: str) -> Target:
    """Return the target of an index of a pattern.

    It is refused if an alias of this name leads to an index with another name: the names come from records, and an
    operator may have made the alias for searches in the index of another tenant.
    """
    group = groups.get(name, {})
    others = sorted(index for index, of in group.items() if name in of["aliases"] and base_of(index) != name)
    if others:
        return Target(
            name, "", refused=f"the alias {name} leads to an index with another name: {', '.join(others)}"
        )
    try:
        return target_of(name, group)
    except Halt as halt:
        return Target(name, "", refused=str(halt))


def unsearched(context: Context, pattern: str) -> list[str]:
    """Return the indices that a search in a pattern must leave out: copies, and indices that are not its own.

    Raises Halt, UnexpectedAnswer, and what opensearch-py raises.
    """
    groups = indices_of(context, pattern)
    live = {target_of(name, groups[name]).live for name in names_in(groups)}
    return sorted({index for group in groups.values() for index in group} - live)


def target_of(name: str, indices: Aliases) -> Target:
    """Return a target from the answer to GET NAME*/_alias. Raises Halt for an alias that cannot be written."""
    aliases = {index: of["aliases"] for index, of in indices.items()}
    behind = [index for index in aliases if name in aliases[index]]
    writable = [index for index in behind if aliases[index][name].get("is_write_index")]
    if len(behind) > 1 and len(writable) != 1:
        raise Halt(
            f"the alias {name} has several indices ({', '.join(behind)}) and no single write index:"
            " keep only one of them, or mark one with is_write_index"
        )
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


Action: TypeAlias = Mapping[str, Mapping[str, Any]]
"""One action of an alias update."""


def add(index: str, alias: str, properties: Mapping[str, Any] | None = None) -> Action:
    return {"add": {"index": index, "alias": alias, **(properties or {})}}


def remove(index: str, alias: str) -> Action:
    """Return the action that removes an alias, if the index has it."""
    return {"remove": {"index": index, "alias": alias}}


def require(index: str, alias: str) -> Action:
    """Return the action that removes an alias. If the index does not have it, the whole update fails (404)."""
    return {"remove": {"index": index, "alias": alias, "must_exist": True}}


def drop(index: str, live: str) -> list[Action]:
    """Return the actions that delete an index and keep its name as an alias of `live` that refuses writes.

    If `live` is "", no alias is added. Without the alias, a write that is already on its way would create the
    index again, with guessed mappings. With it, the server refuses the write ("no write index is defined for
    alias").
    """
    actions: list[Action] = [{"remove_index": {"index": index}}]
    return [*actions, add(live, index, {"is_write_index": False})] if live else actions


def change_aliases(context: Context, *actions: Action) -> None:
    """Run all actions as one atomic update. Raises what opensearch-py raises."""
    from opensearchpy.exceptions import RequestError

    try:
        context.search.indices.update_aliases(body={"actions": list(actions)})
    except RequestError as error:
        if "must_exist" not in str(error.info):
            raise
        # Elasticsearch 7.10 has no must_exist: there, two updates at the same moment cannot be told apart.
        plain = [
            {kind: {k: v for k, v in of.items() if k != "must_exist"} for kind, of in a.items()} for a in actions
        ]
        context.search.indices.update_aliases(body={"actions": plain})
