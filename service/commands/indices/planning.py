"""Plan the changes that make indices match the declarations of their routes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...context import Context
from ...routing import IndexDeclaration
from ...routing.index_declarations import expanded, flat
from ...settings import Settings
from ...sinks.opensearch.index_creation import index_body
from ...sinks.opensearch.pipelines import existing_pipeline
from .differences import (
    Cure,
    Difference,
    compare_mappings,
    compare_pipeline,
    compare_settings,
    narrow_numbers,
    same,
)
from .server import Existing, asking, existing, holders, template

_PRIORITY: Final = 200
"""Higher than the servers' own templates. The length of the name is added: a longer name wins over its prefix."""


@dataclass(frozen=True)
class Plan:
    """The declared index, the existing one, and their differences.

    `there` is None if the index does not exist, and for a pattern. `pipelines` are the declared pipelines that are
    missing or differ. `template` is the difference of the index template, None if there is none. `narrow` are the
    fields whose type the first number decided, with that type; new indices map them as double. Pipelines and the
    template are those of the pattern, and not of its indices.
    """

    declared: IndexDeclaration
    there: Existing | None
    differences: tuple[Difference, ...]
    template: Difference | None
    narrow: tuple[str, ...] = ()
    pipelines: tuple[Difference, ...] = ()

    @property
    def index(self) -> str:
        return self.declared.name

    @property
    def state(self) -> str:
        if self.declared.is_pattern:
            return "pattern"
        if self.there is None:
            return "missing"
        return "differs" if self.to_put or self.to_rebuild else "equal"

    @property
    def to_put(self) -> list[Difference]:
        return [one for one in self.differences if one.cure is Cure.PUT]

    @property
    def to_rebuild(self) -> list[Difference]:
        return [one for one in self.differences if one.cure is Cure.REBUILD]

    @property
    def undeclared(self) -> list[str]:
        """The fields that only the existing index has."""
        return [one.path for one in self.differences if one.cure is Cure.NONE]

    @property
    def done(self) -> bool:
        """True if nothing has to be changed."""
        return self.state in ("equal", "pattern") and self.template is None and not self.pipelines


def plan(context: Context, declared: IndexDeclaration) -> Plan:
    """Compare an index with its declaration; changes nothing. Raises Halt, Unreachable and Refused."""
    there = None if declared.is_pattern else existing(context, declared.name)
    differences: list[Difference] = []
    if there is not None:
        differences += _compare(context, declared, there)
        differences += _compare_aliases(context, declared, there)
    settings = context.settings
    return Plan(
        declared,
        there,
        tuple(differences),
        template=_compare_template(context, declared)
        if settings.index_templates and not declared.pattern
        else None,
        narrow=tuple(narrow_numbers(differences)) if settings.undeclared_numbers == "double" else (),
        pipelines=compare_pipelines(context, declared) if not declared.pattern else (),
    )


def compare_pipelines(context: Context, declared: IndexDeclaration) -> tuple[Difference, ...]:
    """Return the differences of the declared pipelines. Raises Halt, Unreachable and Refused."""
    with asking():
        found = [(one, existing_pipeline(context, one)) for one in declared.pipelines]
    return tuple(difference for one, there in found if (difference := compare_pipeline(one, there)) is not None)


def changed_since(context: Context, declared: IndexDeclaration, index: str) -> list[str]:
    """Return the reasons why an index of a rebuild must be created again.

    Raises Halt, Unreachable and Refused.
    """
    there = existing(context, index)
    return [one.words for one in _compare(context, declared, there) if one.cure is Cure.REBUILD] if there else []


def template_name(declared: IndexDeclaration) -> str:
    """Return the name of the template. It cannot have a `*`, and the name of no other index matches a pattern."""
    return f"streamdex-{declared.name.replace('*', 'all')}"


def template_body(declared: IndexDeclaration, settings: Settings) -> dict[str, Any]:
    """Return the composable index template of an index, or a pattern, and of the indices behind its name.

    The template has no aliases: they must not lead searches to an index that is still being filled.
    """
    return {
        "index_patterns": [declared.name] + [f"{declared.name}-*"] * (not declared.name.endswith("*")),
        "priority": _PRIORITY + len(declared.name),
        "template": index_body(declared, settings),
        "_meta": {"made by": "streamdex"},
    }


def _compare(context: Context, declared: IndexDeclaration, there: Existing) -> Iterator[Difference]:
    body = index_body(declared, context.settings)
    yield from compare_settings(body["settings"]["index"], there.settings, there.defaults)
    yield from compare_mappings(body["mappings"], there.mappings)


def _compare_aliases(context: Context, declared: IndexDeclaration, there: Existing) -> Iterator[Difference]:
    for alias in declared.aliases:
        if alias not in there.aliases:
            behind = ", ".join(holders(context, alias)) or None
            yield Difference("alias", alias, behind, there.index, Cure.PUT)


def _compare_template(context: Context, declared: IndexDeclaration) -> Difference | None:
    name, wanted = template_name(declared), template_body(declared, context.settings)
    found = template(context, name)
    if found is not None and same(_compared(found), _compared(wanted)):
        return None
    return Difference("template", name, None if found is None else "another", "as the routes say", Cure.PUT)


def _compared(body: Mapping[str, Any]) -> list[Any]:
    """Return the parts of a template to compare, normalized: the server may return another form."""
    inner = body.get("template", {})
    settings, mapping = flat(inner.get("settings", {})), expanded(inner.get("mappings", {}))
    return [body.get("index_patterns"), body.get("priority"), settings, mapping, inner.get("aliases", {})]
