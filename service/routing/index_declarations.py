"""The merged declaration of an index: mappings, settings and aliases of all its routes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import chain, combinations
from typing import Any, TypeAlias

from ..errors import DeclarationError
from .declarations import full_name
from .document_ids import PARENT
from .index_names import is_index_of
from .logical_names import Names
from .patterns import is_plain, overlap
from .pipeline_declarations import PipelineDeclaration, named_pipelines, pipelines_of
from .routes import Route, makes_sub_documents

Mappings: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class IndexDeclaration:
    """An index as its routes declare it. Commands create the index, or compare it, from this declaration alone.

    `name` and `aliases` are actual names; a `name` with a `*` is a pattern of indices. In `mapping` dotted field
    names are expanded to objects. The keys of `settings` are dotted names without the prefix `index.`. `pipelines`
    exist before the index is written. `pattern` is the pattern that the index belongs to, "" for none.
    """

    name: str
    mapping: Mappings = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    pipelines: tuple[PipelineDeclaration, ...] = ()
    pattern: str = ""

    @property
    def is_pattern(self) -> bool:
        return not is_plain(self.name)

    def covers(self, index: str) -> bool:
        """True if this declares the index: it has this name, or is an index of this pattern (actual names)."""
        return index == self.name or (self.is_pattern and is_index_of(self.name, index))

    def of(self, index: str) -> IndexDeclaration:
        """Return the declaration of one index of this pattern."""
        return replace(self, name=index, pattern=self.name if self.is_pattern else "")


def declared_indices(routes: Iterable[Route], names: Names) -> dict[str, IndexDeclaration]:
    """Return the declared indices of the routes by actual name.

    Raises DeclarationError if two routes contradict each other (the message names both), if an alias is the name
    of an index, and if an index could have two declarations.
    """
    by_index: dict[str, list[Route]] = {}
    for route in routes:
        if route.index:
            by_index.setdefault(names.index(route.index), []).append(route)
    for routes_of_one in by_index.values():
        for one, other in combinations(routes_of_one, 2):
            _check_pair(one, other)
        for route in routes_of_one:
            _check_aliases(route, names, by_index)
    pipelines_of(chain.from_iterable(by_index.values()), names)  # also across indices, which share pipelines
    for one_name, other_name in combinations(by_index, 2):
        _check_overlap((one_name, by_index[one_name][0]), (other_name, by_index[other_name][0]))
    return {name: _declaration(name, members, names) for name, members in by_index.items()}


def _declaration(name: str, routes: Sequence[Route], names: Names) -> IndexDeclaration:
    aliases = {names.actual("index", alias) for route in routes for alias in route.aliases}
    settings = reduce(lambda one, other: {**one, **other}, (flat(route.index_settings) for route in routes))
    return IndexDeclaration(
        name=name,
        mapping=plain(reduce(merged, map(_mapping, routes))),
        settings=plain(named_pipelines(settings, names)),
        aliases=tuple(sorted(aliases)),
        pipelines=pipelines_of(routes, names),
    )


def _mapping(route: Route) -> dict[str, Any]:
    mapping = expanded(route.mapping)
    return (
        merged(mapping, {"properties": {PARENT: {"type": "keyword"}}})
        if makes_sub_documents(type(route))
        else mapping
    )


def _check_aliases(route: Route, names: Names, indices: Mapping[str, Any]) -> None:
    for alias in route.aliases:
        actual = names.actual("index", alias)
        if any(overlap(actual, index) for index in indices):
            raise DeclarationError(
                f"{full_name(route)}.aliases: {alias!r} is already the index of a route. Use another name."
            )


def _check_overlap(one: tuple[str, Route], other: tuple[str, Route]) -> None:
    """Check that no index belongs to two declarations. `NAME-*` are the indices behind the alias NAME."""
    (name, route), (other_name, other_route) = one, other
    if is_plain(name) and is_plain(other_name):
        return
    if overlap(name, other_name) or overlap(name, f"{other_name}-*") or overlap(f"{name}-*", other_name):
        raise DeclarationError(
            f"{full_name(route)} and {full_name(other_route)} declare the indices {name!r} and {other_name!r}, and"
            " one index could belong to both. Declare the same index in both, or names that do not overlap."
        )


def _check_pair(one: Route, other: Route) -> None:
    mappings = expanded(one.mapping), expanded(other.mapping)
    settings = flat(one.index_settings), flat(other.index_settings)
    found = [f"mapping of {path}" for path in contradictions(*mappings)]
    found += [
        f"setting {name}"
        for name in sorted(settings[0].keys() & settings[1].keys())
        if str(settings[0][name]) != str(settings[1][name])
    ]
    if found:
        raise DeclarationError(
            f"{full_name(one)} and {full_name(other)} declare a different {found[0]} for index {one.index!r}."
            " Declare it in one of them, or equally in both."
        )


def flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested index settings by their dotted names, without the prefix `index.`."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}".removeprefix("index."): leaf for inner, leaf in flat(value).items()}
        else:
            found[name.removeprefix("index.")] = value
    return found


def expanded(mapping: Mappings) -> dict[str, Any]:
    """Return the mapping with each dotted field name expanded to nested objects, as the server does."""
    if not isinstance(mapping.get("properties"), Mapping):
        return dict(mapping)
    fields: dict[str, Any] = {}
    for name, definition in mapping["properties"].items():
        first, _, rest = name.partition(".")
        inner = {"properties": {rest: definition}} if rest else definition
        inner = expanded(inner) if isinstance(inner, Mapping) else inner
        fields[first] = merged(fields[first], inner) if first in fields else inner
    return {**mapping, "properties": fields}


def merged(one: Mappings, other: Mappings) -> dict[str, Any]:
    """Merge two mappings that do not contradict each other."""
    result = dict(one)
    for name, value in other.items():
        if name == "properties" and name in result:
            fields = dict(result[name])
            for field_name, definition in value.items():
                known = fields.get(field_name, {})
                fields[field_name] = merged(known, definition) if _is_object(known) else definition
            result[name] = fields
        else:
            result[name] = value
    return result


def contradictions(one: Mappings, other: Mappings, path: str = "") -> Iterable[str]:
    """Yield the dotted paths at which two mappings differ. Fields that are not objects are compared as a whole."""
    for name in sorted(one.keys() & other.keys() - {"properties"}):
        if one[name] != other[name]:
            yield f"{path}{name}"
    theirs = other.get("properties", {})
    for name, definition in one.get("properties", {}).items():
        if name not in theirs:
            continue
        if _is_object(definition) and _is_object(theirs[name]) and _type(definition) == _type(theirs[name]):
            yield from contradictions(definition, theirs[name], f"{path}{name}.")
        elif definition != theirs[name]:
            yield f"{path}{name}"


def plain(value: Any) -> Any:
    """Return a deep copy made of dictionaries and lists only, as in JSON."""
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in value.items()}
    return [plain(member) for member in value] if isinstance(value, list | tuple) else value


def _is_object(definition: Any) -> bool:
    return isinstance(definition, Mapping) and "properties" in definition


def _type(definition: Mappings) -> Any:
    return definition.get("type", "object")
