"""Detection of cycles: routes whose writes lead back to a table that they read, so that writes never end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from ..errors import DeclarationError
from .declarations import class_name
from .patterns import matches
from .routes import Route, TableRoute

Cycle: TypeAlias = Sequence[type[TableRoute]]
"""Routes in sequence. Each writes a table that the next one reads; the last one writes for the first."""


def check_cycles(routes: Iterable[type[Route]]) -> None:
    """Raise DeclarationError, naming routes and tables, for a cycle in which no route sets `cycle = True`."""
    for found in undeclared_cycles(routes):
        raise DeclarationError(f"{problem_of(found)}. To end it, {remedy_of(found)}.")


def undeclared_cycles(routes: Iterable[type[Route]]) -> Iterator[Cycle]:
    """Yield each cycle in which no route sets `cycle = True` once."""
    writing = [
        kind for kind in routes if issubclass(kind, TableRoute) and "table" in kind.writes and not kind.cycle
    ]
    readers = {
        kind: [other for other in writing if matches(other.table, kind.writes["table"])] for kind in writing
    }
    reported: set[type[TableRoute]] = set()
    for kind in writing:
        found = () if kind in reported else _way_back(kind, readers)
        reported.update(found)
        if found:
            yield found


def _way_back(start: type[TableRoute], readers: Mapping[type[TableRoute], Cycle]) -> Cycle:
    """Return the shortest cycle from a route back to itself; empty if there is none."""
    ways: list[list[type[TableRoute]]] = [[start]]
    reached: set[type[TableRoute]] = set()
    for way in ways:  # the loop appends to this list: breadth-first search
        for other in readers[way[-1]]:
            if other is start:
                return way
            if other not in reached:
                reached.add(other)
                ways.append([*way, other])
    return ()


def problem_of(cycle: Cycle) -> str:
    """Return the error text of a cycle: its routes and their tables (logical names)."""
    steps = [
        f"{class_name(kind)} reads table {kind.table!r} and writes {kind.writes['table']!r}" for kind in cycle
    ]
    return f"routes form a cycle, in which each write causes another: {'; '.join(steps)}"


def remedy_of(cycle: Cycle) -> str:
    return (
        f"write to another table, or declare `cycle: ClassVar = True` in {class_name(cycle[0])} and return no"
        " action when nothing is left to change"
    )
