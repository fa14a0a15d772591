"""A new index in the place of another: how it is made, and how it takes over."""

from __future__ import annotations

import logging
from dataclasses import replace

from ..context import Context
from ..routing import IndexDeclaration
from ..sinks.search.indices import create
from ..sinks.search.targets import ALSO, Action, Target, add, change_aliases, look, remove
from .marks import BUILDING, BUILT, meta_of, put_state, state_of

logger = logging.getLogger(__name__)


def prepare(context: Context, declared: IndexDeclaration, target: Target, *aliases: str) -> str:
    """Makes an empty index that is to replace another, with no aliases but these; its name.

    What is left of one that never did is deleted. Raises what opensearch-py raises.
    """
    for left in target.taken:
        if left not in (target.live, *target.also) and state_of(context, left) == BUILDING:
            logger.warning("what is left of a failed rebuild is deleted", extra={"index": left})
            context.search.indices.delete(index=left)
    new = look(context, [declared.name])[declared.name].next
    noted = {**declared.mapping, "_meta": meta_of(declared.mapping, BUILDING)}
    create(context, replace(declared, mapping=noted), new, *aliases)
    return new


def put_in_place(context: Context, declared: IndexDeclaration, target: Target, new: str) -> None:
    """Puts an index in place of the one that is searched: every alias of that, and those declared, move at once.

    If the new one was a copy of the old, the old is one of the new from then on. If not, or if the name itself is
    the old index, that is deleted in the same moment. Raises what opensearch-py raises.
    """
    old, copies = target.live, target.name + ALSO
    was_copy = new in target.also
    found = context.search.indices.get_alias(index=old)[old]["aliases"]
    there = {alias: properties for alias, properties in found.items() if alias != copies}
    wanted = {target.name: {}, **{alias: {} for alias in declared.aliases}, **there}
    moves: list[Action] = [remove(new, copies)] if was_copy else []
    if was_copy and target.is_alias:
        moves += [*(remove(old, alias) for alias in there), add(old, copies)]
    else:
        moves.append({"remove_index": {"index": old}})
    put_state(context, new, BUILT)
    change_aliases(context, *moves, *(add(new, alias, properties) for alias, properties in wanted.items()))
