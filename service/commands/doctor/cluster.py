"""Check the search server as a whole: its type, access, write blocks and shard limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ...routing.patterns import matches
from .findings import WARNING, Finding, Trouble
from .patient import DoctorContext
from .server import SearchServer

BLOCKS: Final = ("cluster.blocks.read_only", "cluster.blocks.read_only_allow_delete")

FULL: Final = 0.8
"""The share of a limit from which a warning is given."""


def check(patient: DoctorContext) -> Iterator[Finding]:
    """Check the cluster. A serverless collection has no cluster API. Raises Trouble.

    Source: "Supported operations and plugins in Amazon OpenSearch Serverless".
    """
    if not patient.indices or patient.serverless:
        return
    _see(patient.search)
    answer = patient.search.get("/_cluster/settings?include_defaults=true&flat_settings=true") or {}
    settings: dict[str, Any] = {}
    for layer in ("defaults", "persistent", "transient"):
        settings |= answer.get(layer, {})
    yield from _blocks(patient, settings)
    yield from _auto_create(patient, settings)
    yield from _shards(patient, settings)


def _see(server: SearchServer) -> None:
    """Raise Trouble if this is no search server, or if it hides its state or refuses the service's requests."""
    status, body = server.request("GET", "/")
    # If writing is allowed, an empty bulk request fails with 400: only reading the state is denied.
    if status == 403 and server.request("POST", "/_bulk")[0] not in (401, 403):
        raise Trouble(server.hidden(status))
    if status in (401, 403):
        raise server.over(server.refused(status))
    if status >= 500 or status == 429:
        raise server.over(server.failed("/", status))
    if not isinstance(body, Mapping) or not isinstance(body.get("version"), Mapping):
        problem = f"it is not an OpenSearch or Elasticsearch server: GET / returns {status} and no version"
        remedy = "correct SEARCH_URL: host and port, and a path only if a proxy requires one"
        raise server.over(server.endpoint(problem, remedy))


def _blocks(patient: DoctorContext, settings: Mapping[str, Any]) -> Iterator[Finding]:
    for name in switched_on(settings, BLOCKS):
        remedy = f'free disk space if it ran out, then PUT /_cluster/settings {{"persistent": {{"{name}": null}}}}'
        yield Finding("limits", patient.search.name, f"it rejects writes: {name} is set", remedy)


def switched_on(settings: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Return the settings of these names that are true. Servers return booleans as text, too."""
    return [name for name in names if str(settings.get(name)).lower() == "true"]


def _auto_create(patient: DoctorContext, settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Check that writes cannot create an index.

    Only the write of a document can set `require_alias`. Deletions, and all writes while an index has copies,
    would create a missing index.
    """
    value = str(settings.get("action.auto_create_index", "false"))
    made = sorted(name for name in patient.indices if creates(value, name) or creates(value, f"{name}-000001"))
    if made:
        forbidden = ",".join([*(f"-{name},-{name}-0*" for name in made), "+*"])
        yield Finding(
            "index",
            patient.search.name,
            f"it creates missing indices automatically (action.auto_create_index={value}): if {', '.join(made)} is"
            " deleted while the service runs, the next deletion of a document creates it again, without the alias"
            " and the routes' mapping, and with gc_deletes of one minute",
            f'PUT /_cluster/settings {{"persistent": {{"action.auto_create_index": "{forbidden}"}}}}',
            WARNING,
        )


def creates(value: str, index: str) -> bool:
    """True if `value` of `action.auto_create_index` lets a write create an index of this name.

    The value is true, false, or a list of patterns. The first pattern that matches decides; a leading - forbids
    ("Index settings", OpenSearch documentation).
    """
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    for pattern in filter(None, (part.strip() for part in value.split(","))):
        if matches(pattern.lstrip("+-"), index):
            return not pattern.startswith("-")
    return False


def _shards(patient: DoctorContext, settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Check the number of shards. A server at its shard limit refuses to create an index."""
    health = patient.search.get("/_cluster/health") or {}
    most = int(settings.get("cluster.max_shards_per_node", 1000)) * int(health.get("number_of_data_nodes", 0))
    there = sum(int(health.get(f"{state}_shards", 0)) for state in ("active", "initializing", "unassigned"))
    if most and there >= FULL * most:
        yield Finding(
            "limits",
            patient.search.name,
            f"it has {there} of at most {most} shards (cluster.max_shards_per_node): at the limit, no index can be"
            " created",
            "delete unused indices, give indices fewer shards, or add a node",
            WARNING,
        )
