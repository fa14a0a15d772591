"""Check the indices that routes write to: they exist, accept writes, and remember deleted documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from ...errors import SettingsError
from ...routing import BoundRoute
from ...routing.patterns import is_plain
from ...sinks.opensearch.alias_targets import Target, grouped, names_in, target_of
from ..rebuild import rollover
from .aliases import Aliases, check_alias, check_missing, check_rebuilds, listed, strays
from .cluster import FULL, switched_on
from .findings import WARNING, Finding
from .mappings import check_fields, check_mapping
from .patient import DoctorContext
from .settings import seconds_of

BLOCKS: Final = ("index.blocks.write", "index.blocks.read_only", "index.blocks.read_only_allow_delete")

FORGETFUL: Final = "60s"
"""The default of `index.gc_deletes` ("Index settings", OpenSearch documentation)."""


def check(patient: DoctorContext, name: str) -> Iterator[Finding]:
    """Check an index, or all existing indices of a pattern."""
    routes, indices = patient.indices[name], listed(patient, name)
    if is_plain(name):
        yield from _index(patient, name, indices, routes)
        return
    groups = grouped(name, indices)
    names = names_in(groups)
    yield from _number(patient, name, len(names))
    for one in names:
        yield from _index(patient, one, groups[one], routes)


def _number(patient: DoctorContext, pattern: str, count: int) -> Iterator[Finding]:
    """Check the number of indices of a pattern against `max_indices`. With 0, an operator creates all of them."""
    most = patient.settings.max_indices
    if most and patient.settings.create_indices and count >= FULL * most:
        problem = (
            f"it has {count} indices, and the service creates missing ones up to {most} (STREAMDEX_MAX_INDICES):"
            " records for further ones become dead letters"
        )
        remedy = "delete the indices that are not needed, or raise STREAMDEX_MAX_INDICES"
        yield Finding("limits", f"index pattern {pattern}", problem, remedy, WARNING)


def _index(patient: DoctorContext, name: str, indices: Aliases, routes: Sequence[BoundRoute]) -> Iterator[Finding]:
    unwritable = list(check_alias(name, indices))
    if unwritable:
        yield from unwritable
        return
    target = target_of(name, indices)
    if not target.live:
        yield from check_missing(patient, target)
        return
    if target.others:
        yield Finding("alias", f"alias {name}", rollover.problem_of(target), rollover.remedy_of(target))
    stray = strays(target, indices)
    described = patient.search.get(f"/{quote(target.live, safe='')}")
    if described is not None:  # None if the index was deleted since the first request
        yield from check_rebuilds(target, stray, routes)
        yield from _written(patient, target, described[target.live], routes)


def _written(
    patient: DoctorContext, target: Target, description: Mapping[str, Any], routes: Sequence[BoundRoute]
) -> Iterator[Finding]:
    index = target.live
    settings = dict(flat(description.get("settings", {})))
    for setting in rollover.rolled_by(target.name, settings):
        problem = f"{setting} is set: after a rollover, searches find documents twice, and still find deleted ones"
        remedy = f'remove the rollover policy from {index}, then PUT /{index}/_settings {{"{setting}": null}}'
        yield Finding("alias", f"index {index}", problem, remedy, WARNING)
    for block in switched_on(settings, BLOCKS):
        remedy = f'find out why it is set (a full disk sets it), then PUT /{index}/_settings {{"{block}": null}}'
        yield Finding("index", f"index {index}", f"it rejects writes: {block} is set", remedy)
    if not patient.serverless and any(bound.versioned for bound in routes):
        yield from _memory(patient, index, str(settings.get("index.gc_deletes", FORGETFUL)))
    mapping = description.get("mappings", {})
    yield from check_mapping(patient, target, mapping)
    yield from check_fields(index, mapping, int(settings.get("index.mapping.total_fields.limit", 1000)))


def _memory(patient: DoctorContext, index: str, gc_deletes: str) -> Iterator[Finding]:
    try:
        remembered = seconds_of(gc_deletes)
    except SettingsError:
        remembered = 0.0  # -1 and 0 have no unit: no deletion is remembered
    if remembered <= patient.settings.hint_after:
        yield Finding(
            "index",
            f"index {index}",
            f"it forgets the versions of deleted documents after {gc_deletes} (index.gc_deletes), but records are"
            f" trusted for {patient.settings.hint_after:g} s (hint_after): a late record can restore a deleted"
            " document",
            f'PUT /{index}/_settings {{"index.gc_deletes": "{patient.settings.gc_deletes}"}}',
        )


def flat(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield nested settings by their full dotted names."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
