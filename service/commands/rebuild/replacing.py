"""Create a new index, put it in place of another, and delete indices.

Each step is one request, and the aliases alone hold its result (`sinks/opensearch/alias_targets.py`), so an
operation that was killed at any moment can be run again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ...context import Context
from ...errors import SettingsError
from ...routing import IndexDeclaration
from ...routing.index_names import ALSO, NEW, OLD, is_behind
from ...sinks.opensearch.alias_targets import (
    Action,
    Target,
    add,
    change_aliases,
    drop,
    look,
    remove,
    require,
)
from ...sinks.opensearch.index_creation import create

logger = logging.getLogger(__name__)


class Changed(SettingsError):
    """Another process has changed the indices in the meantime. Run the command again."""


def prepare(context: Context, declared: IndexDeclaration, target: Target, *aliases: str) -> str:
    """Create an empty index that will replace the live one, with the alias `--new` and `aliases` only.

    Return its name. Deletes the indices of failed rebuilds first. Raises Changed, and what opensearch-py raises.
    """
    failed = [index for index in target.stale if index not in target.old]
    if failed:
        logger.warning("deleting the index of a failed rebuild", extra={"index": ", ".join(failed)})
        delete(context, target, failed)
    new = look(context, [declared.name])[declared.name].next
    create(context, declared, new, target.name + NEW, *aliases)
    return new


def put_in_place(context: Context, declared: IndexDeclaration, target: Target, new: str) -> None:
    """Put an index in place of the live one: one request moves all aliases of that, and adds the declared ones.

    If the new index was a copy, the old one becomes a copy. If the new one was stale, the old one becomes stale.
    Otherwise, or if `name` is an index and not an alias, the same request deletes the old index. Raises Changed,
    without any effect, if one of the two indices no longer matches `target`; and what opensearch-py raises.
    """
    name, old = target.name, target.live
    found = context.search.indices.get_alias(index=old)[old]["aliases"]
    ours = {name, name + ALSO, name + NEW, name + OLD}
    others = {alias: of for alias, of in found.items() if alias not in ours and not is_behind(name, alias)}
    moves: list[Action] = [remove(new, name + NEW), remove(new, name + OLD)]
    if new in target.also:
        moves.append(require(new, name + ALSO))
    if target.is_alias and new in (*target.also, *target.stale):
        moves += [require(old, name), *(remove(old, alias) for alias in others)]
        moves.append(add(old, name + (NEW if new in target.old else OLD)))
        moves += [add(old, name + ALSO)] if new in target.also else []
    elif target.is_alias:
        moves += drop(old, new)
    else:
        moves.append({"remove_index": {"index": old}})
    wanted = {name: found.get(name, {}), **{alias: {} for alias in declared.aliases}, **others}
    _change(context, target, *moves, *(add(new, alias, properties) for alias, properties in wanted.items()))


def delete(context: Context, target: Target, indices: Sequence[str]) -> None:
    """Delete indices that are not live. Raises Changed, and what opensearch-py raises."""
    _change(context, target, *(action for index in indices for action in drop(index, target.live)))


def _change(context: Context, target: Target, *actions: Action) -> None:
    from opensearchpy.exceptions import NotFoundError

    try:
        change_aliases(context, *actions)
    except NotFoundError as error:
        raise Changed(
            f"another process has changed the indices of {target.name}: run the command again"
        ) from error


def contents_of(context: Context, index: str) -> str:
    """Return the name of an index and the number of its documents as text."""
    count = int(context.search.count(index=index)["count"])
    return f"the index {index} with {count:,} document{'' if count == 1 else 's'}"


def uuid_of(context: Context, index: str) -> str:
    """Return the UUID of an index, which differs from that of an earlier index of the same name."""
    return str(context.search.indices.get_settings(index=index)[index]["settings"]["index"]["uuid"])
