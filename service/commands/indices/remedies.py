"""The commands that repair an index."""

from __future__ import annotations

from ...program import PROGRAM
from ...routing import BoundRoute, Router
from ...sinks.opensearch.alias_targets import Target
from ..tables import fills_index


def renewal(router: Router, target: Target) -> str:
    """Return the command that rebuilds an index. If a scan cannot restore all documents, it makes an empty one."""
    owners = router.owners(target.name)
    if not all(map(fills_index, owners)):
        return f"{PROGRAM} indices apply --index={target.name} --recreate"
    plain = "" if target.is_alias else " --replace-index"
    return f"{PROGRAM} backfill --route={owners[0].name}{selection(owners[0], target)} --rebuild{plain}"


def selection(bound: BoundRoute, target: Target) -> str:
    """Return the option that selects one index of a route with an index pattern; "" for other routes."""
    return "" if bound.index == target.name else f" --index={target.name}"


def change(index: str) -> str:
    """Return the command that changes an index and its pipelines in place."""
    return f"{PROGRAM} indices apply --index={index}"
