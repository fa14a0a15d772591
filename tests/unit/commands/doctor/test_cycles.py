"""Cycles over routes that FUNC divides among processes. No single process sees the whole cycle at its start."""

from __future__ import annotations

import sys
from itertools import count

import pytest

from service.commands.doctor import ERROR, NOTE, DoctorContext, cycles
from service.context import Context
from service.routing import Router
from service.settings import Settings

ROUTE = """
from service import TableRoute, UpdateItem

class Route(TableRoute):
    table = "{reads}"
    key = {{"id": "S"}}
    writes = {{"table": "{writes}"}}

    def insert(self, record, context):
        return [UpdateItem(record.keys)]
"""

numbers = count()


@pytest.fixture
def diagnosed(tmp_path, monkeypatch):
    """Yield a function that checks a package of two modules. FUNC selects the first."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"routes_{next(numbers)}_in_a_circle"

    def check(one: str, two: str, func: tuple[str, ...] = ("one",)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text('ROUTES = ["one:Route", "two:Route"]')
        (folder / "one.py").write_text(one)
        (folder / "two.py").write_text(two)
        return list(cycles.check(DoctorContext(Context(Settings(func=func, routes=name)), Router([]))))

    yield check
    for module in [module for module in sys.modules if module.startswith(name)]:
        del sys.modules[module]


def test_a_cycle_over_two_functions_is_found_with_its_remedy(diagnosed):
    (found,) = diagnosed(ROUTE.format(reads="a", writes="b"), ROUTE.format(reads="b", writes="a"))
    assert (found.topic, found.severity) == ("cycle", ERROR)
    assert "one:Route reads table 'a' and writes 'b'" in found.problem
    assert "two:Route reads table 'b' and writes 'a'" in found.problem
    assert "cycle: ClassVar = True" in found.remedy


def test_routes_that_make_no_cycle_are_well(diagnosed):
    assert diagnosed(ROUTE.format(reads="a", writes="b"), ROUTE.format(reads="b", writes="c")) == []


def test_a_module_that_cannot_be_imported_is_a_note(diagnosed):
    (found,) = diagnosed(ROUTE.format(reads="a", writes="b"), "import nothing_of_this_name")
    assert found.severity == NOTE
    assert "nothing_of_this_name" in found.problem


def test_a_process_that_has_all_routes_has_refused_a_cycle_already(diagnosed):
    assert diagnosed("", "", func=()) == []
