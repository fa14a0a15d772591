"""What would have to be done so that the indices are as their routes declare them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...context import Context
from ...routing import IndexDeclaration
from ...routing.index_declarations import expanded, flat
from ...settings import Settings
from ...sinks.opensearch.index_creation import index_body
from .differences import Cure, Difference, compare_mappings, compare_settings, narrow_numbers, same
from .server import Existing, existing, holders, template

_PRIORITY: Final = 200
"""Above the templates that servers bring along; the longer of two names that begin alike has the higher one."""


@dataclass(frozen=True)
class Plan:
    """An index as it is declared, as it is, and all that differs.

    `narrow` are its fields whose type the first number decided, with that type; new indices map them as double.
    """

    declared: IndexDeclaration
    there: Existing | None
    differences: tuple[Difference, ...]
    template: Difference | None
    narrow: tuple[str, ...] = ()

    @property
    def index(self) -> str:
        return self.declared.name

    @property
    def state(self) -> str:
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
        """The fields that only the index has."""
        return [one.path for one in self.differences if one.cure is Cure.NONE]

    @property
    def done(self) -> bool:
        """Whether there is nothing to do."""
        return self.state == "equal" and self.template is None


def plan(context: Context, declared: IndexDeclaration) -> Plan:
    """Compares an index with its declaration; asks the server and changes nothing. Raises Halt and Unreachable."""
    there = existing(context, declared.name)
    differences: list[Difference] = []
    if there is not None:
        differences += _compare(context, declared, there)
        differences += _compare_aliases(context, declared, there)
    settings = context.settings
    return Plan(
        declared,
        there,
        tuple(differences),
        template=_compare_template(context, declared) if settings.index_templates else None,
        narrow=tuple(narrow_numbers(differences)) if settings.undeclared_numbers == "double" else (),
    )


def changed_since(context: Context, declared: IndexDeclaration, index: str) -> list[str]:
    """Return why an index of a rebuild has to be created again, in words. Raises Halt and Unreachable."""
    there = existing(context, index)
    return [one.words for one in _compare(context, declared, there) if one.cure is Cure.REBUILD] if there else []


def template_name(declared: IndexDeclaration) -> str:
    return f"streamdex-{declared.name}"


def template_body(declared: IndexDeclaration, settings: Settings) -> dict[str, Any]:
    """The composable index template of an index, and of those that a rebuild makes behind its name.

    Without its aliases: an index that is only being filled must not be found through them.
    """
    return {
        "index_patterns": [declared.name, f"{declared.name}-*"],
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
    """What matters in a template, in one form; the server keeps it much as it was put."""
    inner = body.get("template", {})
    settings, mapping = flat(inner.get("settings", {})), expanded(inner.get("mappings", {}))
    return [body.get("index_patterns"), body.get("priority"), settings, mapping, inner.get("aliases", {})]
