"""For commands on whole tables: the selection of tables and routes, and what they need from the service."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..context import Context
from ..errors import SettingsError
from ..model import INSERT
from ..pipeline import SILENT, DeadLetterStore, Dispatcher, Task
from ..pipeline.composite import one_per_document
from ..pipeline.rereads import Rereads
from ..pipeline.route_calls import call_routes
from ..routing import BoundRoute, Router, TableRoute
from ..settings import Settings, setting
from ..sources.current_state import Lookups
from ..sources.route_tables import tables_of


class Service(Protocol):
    """The parts of the service that these commands use."""

    settings: Settings
    context: Context
    router: Router

    @property
    def letters(self) -> DeadLetterStore:
        """The dead-letter store."""
        ...

    def into(self, index: str, other: str, letters: DeadLetterStore) -> Service:
        """Return this service with `other` in place of `index`, and with `letters` as its dead-letter store."""
        ...

    def loader_of(self, routes: Sequence[BoundRoute], reread: bool = False) -> Dispatcher:
        """Return a dispatcher for these routes; with `reread`, it re-reads the current state of each record."""
        ...


@dataclass(frozen=True)
class TableFilter:
    """The selection of tables and routes. Without an option, all of them are selected."""

    table: str = setting("", "only this table (its name in the routes, or its actual name)")
    route: str = setting("", "only this route (module:Class)")


def chosen(service: Service, which: TableFilter) -> Mapping[str, Sequence[BoundRoute]]:
    """Return the selected tables by their actual names, each with the routes that make documents from its items.

    Raises SettingsError if no route matches the selection; Halt or Unreachable if the tables cannot be listed.
    """
    names = service.router.names
    filling = [bound for bound in service.router.bound if fills_index(bound)]
    found: dict[str, list[BoundRoute]] = {}
    for bound in filling:
        for table in tables_of([bound], names, service.context) if which.route in ("", bound.name) else ():
            if which.table in ("", table, names.logical("table", table)):
                found.setdefault(table, []).append(bound)
    if not found:
        wanted = " of ".join(filter(None, (which.route, which.table and f"table {which.table}")))
        selected = f"matches {wanted}" if wanted else "is registered"
        known = ", ".join(bound.name for bound in filling) or "none"
        raise SettingsError(f"no route that fills an index from a table {selected}; known routes: {known}")
    return found


def fills_index(bound: BoundRoute) -> bool:
    """True if a route makes documents from the items of a table."""
    return isinstance(bound.route, TableRoute) and bool(bound.index) and INSERT in bound.implemented


def call_on_items(tasks: Sequence[Task], context: Context) -> list[Task]:
    """Call the routes of scanned items, once for each document. Return the tasks of these calls. Raises Halt.

    The collection of an item is read, so its record needs only the key.
    """
    called = list(one_per_document(tasks))
    collections = [task for task in called if task.bound is not None and task.bound.collection]
    Rereads(Lookups(context), math.inf).reread_before_write(collections)
    call_routes(called, context, SILENT.step)
    return called
