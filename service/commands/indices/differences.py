"""Compare an index with its declaration, field by field, and say how each difference is repaired."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ...routing.index_declarations import plain
from ...routing.pipeline_declarations import INGEST, SEARCH, PipelineDeclaration
from ..comparison import differences
from .parameters import ROOT_DEFAULTS, ROOT_UPDATABLE, STICKY, UNKNOWN, UPDATABLE, is_static, value_of

Definition = Mapping[str, Any]

PIPELINES: Final = frozenset({f"{INGEST} pipeline", f"{SEARCH} pipeline"})
"""The kinds of differences of pipelines."""

_NESTING: Final = frozenset({"type", "properties", "fields"})
_OBJECTS: Final = frozenset({"object", "nested"})
_OF_OBJECTS: Final = frozenset({"enabled", "include_in_parent", "include_in_root"})
"""Parameters of objects that are always compared. Others only if declared: a put does not change the rest."""

_NARROW: Final = ("long", "float")
"""The types that dynamic mapping gives to numbers ("Dynamic mapping", OpenSearch documentation)."""


class Cure(StrEnum):
    """The repair that a difference needs."""

    PUT = "put"
    """A change in place."""
    REBUILD = "rebuild"
    """A rebuild: the server refuses the change to an existing index."""
    NONE = "none"
    """None: the difference is only reported."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between an index and its declaration.

    `kind` is field, mapping, setting, alias, template or one of PIPELINES; `path` is the dotted name.
    `parameter` is the parameter of a field, "" for the whole field. `there` is the existing value, `declared` the
    wanted one; None if missing.
    """

    kind: str
    path: str
    there: Any
    declared: Any
    cure: Cure
    parameter: str = ""

    @property
    def words(self) -> str:
        """The difference in one line: the name, the existing and the declared value."""
        if self.kind == "template":
            return f"template {self.path}: {'missing' if self.there is None else 'differs'}"
        if self.kind in PIPELINES:
            members = sorted(
                {found.path.partition(".")[0] for found in differences(self.declared, self.there or {})}
            )
            state = "missing" if self.there is None else f"differs in {', '.join(members)}"
            return f"{self.kind} {self.path}: {state}"
        if self.kind == "alias":
            return f"alias {self.path}: {self.there or 'missing'} -> {self.declared}"
        if self.kind == "field" and not self.parameter:
            return f"{self.path}: new, {self.declared.get('type', 'object')}"
        what = f"{self.path}: {self.parameter}" if self.parameter else f"{self.kind} {self.path}:"
        return f"{what} {_shortly(self.there)} -> {_shortly(self.declared)}"


def compare_mappings(declared: Definition, there: Definition) -> Iterator[Difference]:
    """Yield the differences of two mappings. Fields that only the index has get Cure.NONE: a put keeps them."""
    for name in sorted(declared.keys() - {"properties"}):
        wanted, found = declared[name], there.get(name, ROOT_DEFAULTS.get(name))
        if isinstance(wanted, Mapping) and name != "_meta":
            wanted, found = {**ROOT_DEFAULTS.get(name, {}), **wanted}, {**ROOT_DEFAULTS.get(name, {}), **found}
        if not same(wanted, found):
            cure = Cure.PUT if name in ROOT_UPDATABLE else Cure.REBUILD
            yield Difference("mapping", name, there.get(name), declared[name], cure)
    yield from _compare_fields(declared.get("properties", {}), there.get("properties", {}), "")


def compare_pipeline(declared: PipelineDeclaration, there: Mapping[str, Any] | None) -> Difference | None:
    """Return the difference of a pipeline and the existing one (None if it is missing); None if they are equal."""
    if there is not None and next(differences(declared.body, there), None) is None:
        return None
    return Difference(f"{declared.kind} pipeline", declared.name, there, declared.body, Cure.PUT)


def narrow_numbers(differences: Iterable[Difference]) -> list[str]:
    """Return the fields that only the index has and that the server mapped as `long` or `float`, with their types.

    A document decided these types. A `long` field cuts off fractions in searches and sums; a `float` field rounds.
    """
    undeclared = [one for one in differences if one.cure is Cure.NONE]
    fields = {"properties": {one.path: one.there for one in undeclared}}
    return [f"{name} ({kind})" for name, kind in types_of(fields) if kind in _NARROW]


def types_of(mapping: Definition, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the full name and the type of each field of a mapping, objects and multi-fields included."""
    for part in ("properties", "fields"):
        for name, field in mapping.get(part, {}).items():
            yield f"{path}{name}", str(field.get("type", "object"))
            yield from types_of(field, f"{path}{name}.")


def compare_settings(
    declared: Mapping[str, Any], there: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Iterator[Difference]:
    """Yield the declared settings whose values differ in the index. All settings are flat, without `index.`."""
    for name in sorted(declared):
        found = there.get(name, defaults.get(name))
        if not same(declared[name], found):
            cure = Cure.REBUILD if is_static(name) else Cure.PUT
            yield Difference("setting", name, found, declared[name], cure)


def put_back(mapping: Definition, differences: Iterable[Difference]) -> dict[str, Any]:
    """Return the mapping to put, with the defaults that the server does not restore if a put omits them."""
    body: dict[str, Any] = plain(mapping)
    for difference in differences:
        if difference.kind == "field" and difference.parameter in STICKY:
            field: dict[str, Any] = body
            for name in difference.path.split("."):
                field = field["properties"][name] if name in field.get("properties", {}) else field["fields"][name]
            field.setdefault(difference.parameter, difference.declared)
    return body


def same(one: Any, other: Any) -> bool:
    """True if two values are equal for a server, which may return numbers and booleans as text."""
    return bool(_canonical(one) == _canonical(other))


def _shortly(value: Any) -> str:
    text = "not set" if value is None else value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _compare_fields(declared: Definition, there: Definition, path: str) -> Iterator[Difference]:
    for name in sorted(declared):
        if name in there:
            yield from _compare_field(declared[name], there[name], f"{path}{name}")
        else:
            yield Difference("field", f"{path}{name}", None, declared[name], Cure.PUT)
    for name in sorted(there.keys() - declared.keys()):
        yield Difference("field", f"{path}{name}", there[name], None, Cure.NONE)


def _compare_field(declared: Definition, there: Definition, path: str) -> Iterator[Difference]:
    kind, found_kind = declared.get("type", "object"), there.get("type", "object")
    if kind != found_kind:
        yield Difference("field", path, found_kind, kind, Cure.REBUILD, "type")
        return
    parameters = declared.keys() | (_OF_OBJECTS if kind in _OBJECTS else there.keys())
    for parameter in sorted(parameters - _NESTING):
        wanted, found = value_of(declared, parameter), value_of(there, parameter)
        if wanted is UNKNOWN:  # a plugin type's parameter; servers show it even at its default
            continue
        found = None if found is UNKNOWN else found
        if not same(_lowered(parameter, wanted), _lowered(parameter, found)):
            cure = Cure.PUT if _can_change(parameter, wanted) else Cure.REBUILD
            yield Difference("field", path, found, wanted, cure, parameter)
    for inner in ("properties", "fields"):
        yield from _compare_fields(declared.get(inner, {}), there.get(inner, {}), f"{path}.")


def _can_change(parameter: str, wanted: Any) -> bool:
    return parameter in UPDATABLE or (parameter == "norms" and same(wanted, False))


def _lowered(parameter: str, value: Any) -> Any:
    """Lower an orientation: OpenSearch returns `right` as `RIGHT`."""
    return value.lower() if parameter == "orientation" and isinstance(value, str) else value


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _canonical(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        members = [_canonical(member) for member in value]
        return members[0] if len(members) == 1 else members
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if value is None else str(value)
