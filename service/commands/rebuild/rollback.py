"""Roll back to a replaced index that was kept, or delete kept indices."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...context import Context
from ...errors import SettingsError
from ...routing import IndexDeclaration
from ...sinks.opensearch.alias_targets import Target
from .replacing import contents_of, delete, put_in_place

Consents = Callable[[str], bool]
"""A function that asks the operator to confirm a deletion, described by its argument. True if confirmed.

Raises SettingsError if there is no operator to ask.
"""


def roll_back(context: Context, declared: IndexDeclaration, target: Target, accept_stale: bool) -> str:
    """Put the replaced index back in place of the live one. Return its name.

    Raises SettingsError if there is none, or if it has missed writes and `accept_stale` is False.
    """
    stale = [index for index in target.old if index in target.stale]
    if not target.old:
        raise SettingsError(
            f"nothing to roll back: {target.live} is searched as {target.name}, and no replaced index is"
            f" kept{other_indices(target)}"
        )
    if stale and not accept_stale:
        raise SettingsError(
            f"{stale[0]} has missed writes since it was replaced by {target.live} (the service's log names them):"
            " run --rollback --accept-stale to put it back anyway, then `verify --repair` to write the changes;"
            " or run --drop-old to delete it"
        )
    old = [*target.kept, *stale][0]
    put_in_place(context, declared, target, old)
    return old


def other_indices(target: Target) -> str:
    """Return the indices that are not live as text, with the command for each."""
    if target.building:
        return (
            f"; {', '.join(target.building)} is a new index that is not searched: run `--rebuild` to continue with"
            " it, or `--abandon` to delete it"
        )
    return f"; {', '.join(target.stale)} is stale: run `--abandon` to delete it" if target.stale else ""


def drop(context: Context, target: Target, indices: Sequence[str], consents: Consents, nothing: str) -> str:
    """Delete indices after the operator confirms. Return the result as text; "" if it was not confirmed."""
    if not indices:
        return f"{nothing}; {target.live} is searched" if target.live else nothing
    if not consents(" and ".join(contents_of(context, index) for index in indices)):
        return ""
    delete(context, target, indices)
    return f"{', '.join(indices)} deleted"
