"""The indices that routes write: whether they are there, take writes, and remember what was deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from ...errors import SettingsError
from ...routing import BoundRoute
from .findings import ERROR, WARNING, Finding, each
from .mappings import check_fields, check_mapping
from .patient import Patient
from .settings import seconds_of

BLOCKS: Final = ("index.blocks.write", "index.blocks.read_only", "index.blocks.read_only_allow_delete")

FORGETFUL: Final = "60s"
"""`index.gc_deletes` where it is not set ("Index settings", OpenSearch documentation)."""


def check(patient: Patient) -> Iterator[Finding]:
    yield from each(lambda found: _index(patient, *found), patient.indices().items())


def _index(patient: Patient, index: str, routes: Sequence[BoundRoute]) -> Iterator[Finding]:
    behind = patient.search.get(f"/{quote(index, safe='')}", needed=patient.serverless)
    if behind is None:
        if not patient.settings.create_indices:
            problem = "it does not exist, and the service does not create indices (create_indices)"
            remedy = "create it with the routes' mapping, or set STREAMDEX_CREATE_INDICES=true"
            yield Finding("index", f"index {index}", problem, remedy)
        return
    yield from _alias(index, behind)
    written = write_index(index, behind)
    if written is not None:
        yield from _written(patient, written, behind[written], routes)


def write_index(name: str, behind: Mapping[str, Any]) -> str | None:
    """The index that a write to a name goes to; None where the server refuses such a write.

    `behind` is what GET answers: the index of this name, or those that are behind an alias.
    """
    if name in behind:
        return name
    chosen = [index for index in behind if _says(name, behind[index]) is True]
    if not chosen and len(behind) == 1 and _says(name, *behind.values()) is None:
        chosen = list(behind)
    return chosen[0] if len(chosen) == 1 else None


def _says(alias: str, index: Mapping[str, Any]) -> bool | None:
    """Whether an index is the one that is written through an alias; None where it does not say."""
    said: bool | None = index.get("aliases", {}).get(alias, {}).get("is_write_index")
    return said


def _alias(name: str, behind: Mapping[str, Any]) -> Iterator[Finding]:
    if name in behind:
        return
    indices, written = ", ".join(sorted(behind)), write_index(name, behind)
    example = f'{{"add": {{"index": "{sorted(behind)[-1]}", "alias": "{name}", "is_write_index": true}}}}'
    remedy = f'POST /_aliases {{"actions": [{example}]}}'
    if written is None:
        yield Finding("alias", f"alias {name}", f"no index behind it takes writes (there are {indices})", remedy)
    elif _says(name, behind[written]) is None:
        problem = f"{indices} is written only because it is alone behind it: with a second index all writes fail"
        yield Finding("alias", f"alias {name}", problem, remedy, WARNING)


def _written(
    patient: Patient, index: str, description: Mapping[str, Any], routes: Sequence[BoundRoute]
) -> Iterator[Finding]:
    settings = dict(flat(description.get("settings", {})))
    for block in BLOCKS:
        if str(settings.get(block)).lower() == "true":
            remedy = f'find out who set it (a full disk does), then PUT /{index}/_settings {{"{block}": null}}'
            yield Finding("index", f"index {index}", f"it takes no writes: {block} is set", remedy, ERROR)
    if not patient.serverless and any(bound.versioned for bound in routes):
        yield from _memory(patient, index, str(settings.get("index.gc_deletes", FORGETFUL)))
    mapping = description.get("mappings", {})
    for bound in routes:
        yield from check_mapping(index, mapping, bound)
    yield from check_fields(index, mapping, int(settings.get("index.mapping.total_fields.limit", 1000)))


def _memory(patient: Patient, index: str, gc_deletes: str) -> Iterator[Finding]:
    try:
        remembered = seconds_of(gc_deletes)
    except SettingsError:
        remembered = 0.0  # -1 and 0 have no unit: nothing is remembered
    if remembered <= patient.settings.hint_after:
        yield Finding(
            "index",
            f"index {index}",
            f"it forgets the versions of deleted documents after {gc_deletes} (index.gc_deletes), and records are"
            f" taken at their word for {patient.settings.hint_after:g} s (hint_after): one that comes late can"
            " bring a deleted document back",
            f'PUT /{index}/_settings {{"index.gc_deletes": "{patient.settings.gc_deletes}"}}',
        )


def flat(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings by their full names."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
