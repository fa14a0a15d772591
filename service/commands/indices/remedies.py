"""The commands that repair an index."""

from __future__ import annotations

from ...program import PROGRAM
from ...routing import Router
from ...sinks.opensearch.alias_targets import Target
from ..tables import fills_index


def renewal(router: Router, target: Target) -> str:
    """Return the command that rebuilds an index. If a scan cannot restore all documents, it makes an empty one."""
    owners = [bound for bound in router.bound if bound.index == target.name]
    if not all(map(fills_index, owners)):
        return f"{PROGRAM} indices apply --index={target.name} --recreate"
    plain = "" if target.is_alias else " --replace-index"
    return f"{PROGRAM} backfill --route={owners[0].name} --rebuild{plain}"


def change(target: Target) -> str:
    """Return the command that changes an index in place."""
    return f"{PROGRAM} indices apply --index={target.name}"
