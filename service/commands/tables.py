"""Operations on whole tables: what they are about, and what they ask of the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..context import Context
from ..errors import SettingsError
from ..model import INSERT
from ..pipeline import Dispatcher, LetterStore
from ..routing import BoundRoute, Router, TableRoute
from ..settings import Settings, setting
from ..sources.route_tables import tables_of


class Service(Protocol):
    """The service as operations know it."""

    settings: Settings
    context: Context
    router: Router

    @property
    def letters(self) -> LetterStore:
        """Where what can never succeed is kept."""
        ...

    def into(self, index: str, other: str, letters: LetterStore) -> Service:
        """The same with another index in place of one, and what is refused kept elsewhere."""
        ...

    def loader_of(self, routes: Sequence[BoundRoute], hints: bool = False) -> Dispatcher:
        """What dispatches to some of the routes; with `hints` each record is only a hint."""
        ...


@dataclass(frozen=True)
class Which:
    """Which items an operation on whole tables is about; all of them without any of these."""

    table: str = setting("", "only this table (its name in routes, or as it exists)", env="STREAMDEX_TABLE")
    route: str = setting("", "only this route (module:Class)", env="STREAMDEX_ROUTE")


def chosen(service: Service, which: Which) -> Mapping[str, Sequence[BoundRoute]]:
    """The tables as they exist, each with its routes that make documents.

    Raises SettingsError where there are none, Halt and Unreachable.
    """
    names = service.router.names
    filling = [bound for bound in service.router.bound if fills_index(bound)]
    found: dict[str, list[BoundRoute]] = {}
    for bound in filling:
        for table in tables_of([bound], names, service.context) if which.route in ("", bound.name) else ():
            if which.table in ("", table, names.logical("table", table)):
                found.setdefault(table, []).append(bound)
    if not found:
        wanted = " of ".join(filter(None, (which.route, which.table and f"table {which.table}"))) or "nothing"
        known = ", ".join(bound.name for bound in filling) or "none"
        raise SettingsError(f"{wanted}: no such route fills an index from a table; there are {known}")
    return found


def fills_index(bound: BoundRoute) -> bool:
    """Whether a route makes documents of a table's items."""
    return isinstance(bound.route, TableRoute) and bool(bound.index) and INSERT in bound.implemented
