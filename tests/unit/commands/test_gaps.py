"""The automatic repair of a table whose stream lost records, retried until it succeeds."""

from __future__ import annotations

import logging
from threading import Event
from typing import Any

import pytest

from service.commands.backfill import gaps
from service.commands.backfill.gaps import GapRepair
from service.commands.verify import Verified
from service.errors import Unreachable


class Repairs:
    """A fake of verify. It records the tables to repair, and raises the `errors`, one per call."""

    def __init__(self, wanted: int, errors: list[Exception]):
        self.tables: list[str] = []
        self.done = Event()
        self.errors = errors
        self._wanted = wanted

    def __call__(self, service: Any, which: Any, scan: Any, manner: Any, *rest: Any) -> Verified:
        assert manner.repair
        self.tables.append(which.table)
        if len(self.tables) == self._wanted:
            self.done.set()
        if self.errors:
            raise self.errors.pop(0)
        return Verified()


@pytest.mark.parametrize(
    ("errors", "tables"),
    [
        ([], ["a", "b"]),
        ([Unreachable("down")], ["a", "b", "a"]),
        ([ValueError("a mistake"), Unreachable("down")], ["a", "b", "a", "b"]),
    ],
)
def test_each_table_is_repaired_until_that_has_worked(monkeypatch, caplog, errors, tables):
    repairs = Repairs(len(tables), errors)
    monkeypatch.setattr(gaps.verifying, "verify", repairs)
    both = Event()

    def first_both(*arguments: Any) -> Verified:
        both.wait(5)
        return repairs(*arguments)

    monkeypatch.setattr(gaps.verifying, "verify", first_both)
    with caplog.at_level(logging.WARNING):
        repairing = GapRepair(None, 1.0, sleep=lambda seconds: None)
        for table in ("a", "b", "b"):
            repairing.lost(f"table {table}", "shard", 0.0, 1.0)
        both.set()
        assert repairs.done.wait(5)
    assert repairs.tables == tables
    assert caplog.text.count("repair failed") == len([*tables]) - 2


def test_a_table_whose_index_was_missing_is_repaired(monkeypatch):
    repairs = Repairs(1, [])
    monkeypatch.setattr(gaps.verifying, "verify", repairs)
    GapRepair(None, 1.0).index_missing("table a", ["images"])
    assert repairs.done.wait(5)
    assert repairs.tables == ["a"]
