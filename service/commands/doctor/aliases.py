"""Check the index names that routes write to: the index behind each alias, and leftovers of rebuilds.

`sinks/opensearch/alias_targets.py` explains the aliases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from ...program import PROGRAM
from ...routing import BoundRoute
from ...sinks.opensearch.alias_targets import Target
from ..indices.remedies import selection
from ..tables import fills_index
from .findings import WARNING, Finding
from .patient import DoctorContext

Aliases = Mapping[str, Mapping[str, Any]]
"""The answer to GET NAME*/_alias, the request that the service sends too."""

BACKFILL: Final = f"{PROGRAM} backfill"


def listed(patient: DoctorContext, name: str) -> Aliases:
    """Return the indices whose names begin with `name`, or match it, with their aliases. Raises Trouble."""
    wildcard = f"{name.removesuffix('*')}*"
    found: Aliases | None = patient.search.get(f"/{quote(wildcard, safe='*')}/_alias", needed=True)
    return found or {}


def check_alias(name: str, indices: Aliases) -> Iterator[Finding]:
    """Check that an alias has a write index: it is on one index, or exactly one is the write index."""
    behind = [index for index in sorted(indices) if name in indices[index].get("aliases", {})]
    flags = [indices[index]["aliases"][name].get("is_write_index") for index in behind]
    if name in indices or not behind or flags.count(True) == 1 or flags == [None]:
        return
    problem = f"it does not have exactly one write index; its indices are {', '.join(behind)}"
    yield Finding("alias", f"alias {name}", problem, _put(behind[-1], name, ', "is_write_index": true'))


def check_missing(patient: DoctorContext, target: Target) -> Iterator[Finding]:
    """Yield a finding for a missing index, unless the service creates it at the first write (create_indices)."""
    if target.taken:
        problem = (
            f"the alias does not exist, but there are indices that may belong to it: {', '.join(target.taken)}"
        )
        if patient.settings.create_indices:
            problem += (
                f"; the next write creates {target.next}, and searches do not find the documents in the others"
            )
        yield Finding("alias", f"alias {target.name}", problem, _put(target.taken[-1], target.name))
    elif not patient.settings.create_indices:
        problem = "it does not exist, and create_indices=false keeps the service from creating it"
        remedy = "create an index behind an alias of this name, or set STREAMDEX_CREATE_INDICES=true"
        yield Finding("index", f"index {target.name}", problem, remedy)


def strays(target: Target, indices: Aliases) -> Sequence[str]:
    """Return the indices that are named like those behind the alias but have no alias."""
    known = (target.live, *target.also, *target.stale)
    return [index for index in target.taken if index not in known and not indices[index].get("aliases")]


def check_rebuilds(target: Target, stray: Sequence[str], routes: Sequence[BoundRoute]) -> Iterator[Finding]:
    """Report an index without an alias, copies that get every write, and leftovers of failed rebuilds."""
    name, loader = target.name, _loader(routes)
    command = f"{BACKFILL} --route={loader.name}{selection(loader, target)}"
    rebuild = f"{command} --rebuild{'' if target.is_alias else ' --replace-index'}"
    if not target.is_alias and not target.also:
        yield _plain(name, rebuild, routes)
    deletes, returns = f"`{command} --drop-old` deletes it", f"`{command} --rollback"
    for indices, problem, remedy in (
        (
            target.building,
            f"a rebuild of {name} that is running or was interrupted fills it: every write goes to both indices",
            f"if no rebuild is running: `{rebuild}` continues it, `{command} --abandon` deletes the index",
        ),
        (
            target.kept,
            f"it was replaced by {target.live} and is kept: every write goes to both, and no rebuild can start",
            f"{deletes}, {returns}` returns to it",
        ),
        (
            [index for index in target.stale if index in target.old],
            f"it was replaced by {target.live} and has missed writes since: a rollback would lose them",
            f"{deletes}, {returns} --accept-stale` returns to it without the missed writes",
        ),
        (
            [index for index in target.stale if index not in target.old],
            f"the rebuild of {name} failed: this index missed a write and receives no more writes",
            f"find the cause in the service's log and fix it; then `{rebuild}` starts again, or"
            f" `{command} --abandon` deletes the index",
        ),
    ):
        for index in indices:
            yield Finding("rebuild", f"index {index}", problem, remedy, WARNING)
    for index in stray:
        problem = f"it is named like an index behind {name} but has no alias: it is neither written nor searched"
        yield Finding(
            "rebuild", f"index {index}", problem, f"DELETE /{index}, unless you need its documents", WARNING
        )


def _plain(name: str, rebuild: str, routes: Sequence[BoundRoute]) -> Finding:
    """Report an index without an alias. Writes work, but only a write to an alias can require that it exists."""
    remedy = f"`{rebuild}` replaces it with an alias; searches work throughout"
    if not all(map(fills_index, routes)):
        new = f"{name}-000001"
        moves = f'{{"remove_index": {{"index": "{name}"}}}}, {{"add": {{"index": "{new}", "alias": "{name}"}}}}'
        remedy = f'stop the service, copy it to {new} (POST /_reindex), POST /_aliases {{"actions": [{moves}]}}'
    problem = (
        "it is an index, not an alias: if it is deleted, a write may create it again without the routes' mapping,"
        " and a rebuild cannot be rolled back"
    )
    return Finding("alias", f"index {name}", problem, remedy, WARNING)


def _loader(routes: Sequence[BoundRoute]) -> BoundRoute:
    return next(filter(fills_index, routes), routes[0])


def _put(index: str, alias: str, more: str = "") -> str:
    return f'POST /_aliases {{"actions": [{{"add": {{"index": "{index}", "alias": "{alias}"{more}}}}}]}}'
