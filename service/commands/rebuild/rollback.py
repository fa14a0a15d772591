"""Rolls back to an index that is kept beside the live one, or deletes such indices."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...context import Context
from ...errors import SettingsError
from ...routing import IndexDeclaration
from ...sinks.opensearch.alias_targets import Target
from .replacing import contents_of, delete, put_in_place

Consents = Callable[[str], bool]
"""Asks the operator before what the words describe is deleted. Raises SettingsError where no one can be asked."""


def roll_back(context: Context, declared: IndexDeclaration, target: Target, accept_stale: bool) -> str:
    """Put the index that was replaced back in place of the live one; return its name.

    Raises SettingsError if there is none, or if it has missed writes and that is not accepted.
    """
    stale = [index for index in target.old if index in target.stale]
    if not target.old:
        raise SettingsError(
            f"nothing to roll back: {target.live} is searched as {target.name}, and no index that it replaced is"
            f" kept{beside(target)}"
        )
    if stale and not accept_stale:
        raise SettingsError(
            f"{stale[0]} has missed writes since it was replaced by {target.live} (the service's log says which):"
            " --rollback --accept-stale puts it back all the same, then `verify --repair` writes what it lacks;"
            " --drop-old deletes it"
        )
    old = [*target.kept, *stale][0]
    put_in_place(context, declared, target, old)
    return old


def beside(target: Target) -> str:
    """Return the other indices in words, with the command for each."""
    if target.building:
        return (
            f"; {', '.join(target.building)} is a new index that is not in place: `--rebuild` goes on with it,"
            " `--abandon` deletes it"
        )
    return f"; {', '.join(target.stale)} is stale: `--abandon` deletes it" if target.stale else ""


def drop(context: Context, target: Target, indices: Sequence[str], consents: Consents, nothing: str) -> str:
    """Delete indices beside the live one, once the operator agrees; return what was done, "" for not confirmed."""
    if not indices:
        return f"{nothing}; {target.live} is searched" if target.live else nothing
    if not consents(" and ".join(contents_of(context, index) for index in indices)):
        return ""
    delete(context, target, indices)
    return f"{', '.join(indices)} is deleted"
