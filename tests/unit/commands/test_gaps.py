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
    """A fake of Verification. It records the tables to repair, and raises the `errors`, one per run."""

    def __init__(self, wanted: int, errors: list[Exception]):
        self.tables: list[str] = []
        self.done = Event()
        self.begun = Event()
        self.errors = errors
        self._wanted = wanted

    def __call__(self, service: Any, scan: Any, options: Any, patience: float) -> Repairs:
        assert options.repair
        return self

    def run(self, which: Any) -> Verified:
        self.begun.wait(5)
        self.tables.append(which.table)
        if len(self.tables) == self._wanted:
            self.done.set()
        if self.errors:
            raise self.errors.pop(0)
        return Verified()


def repairs_of(monkeypatch: pytest.MonkeyPatch, wanted: int, errors: list[Exception]) -> Repairs:
    repairs = Repairs(wanted, errors)
    monkeypatch.setattr(gaps, "Verification", repairs)
    monkeypatch.setattr(gaps, "chosen", lambda service, which: which)
    return repairs


@pytest.mark.parametrize(
    ("errors", "tables"),
    [
        ([], ["a", "b"]),
        ([Unreachable("down")], ["a", "b", "a"]),
        ([ValueError("a mistake"), Unreachable("down")], ["a", "b", "a", "b"]),
    ],
)
def test_each_table_is_repaired_until_that_has_worked(monkeypatch, caplog, errors, tables):
    repairs = repairs_of(monkeypatch, len(tables), errors)
    with caplog.at_level(logging.WARNING):
        repairing = GapRepair(None, 1.0, sleep=lambda seconds: None)
        for table in ("a", "b", "b"):
            repairing.lost(f"table {table}", "shard", 0.0, 1.0)
        repairs.begun.set()
        assert repairs.done.wait(5)
    assert repairs.tables == tables
    assert caplog.text.count("repair failed") == len([*tables]) - 2


def test_a_table_whose_index_was_missing_is_repaired(monkeypatch):
    repairs = repairs_of(monkeypatch, 1, [])
    repairs.begun.set()
    GapRepair(None, 1.0).index_missing("table a", ["images"])
    assert repairs.done.wait(5)
    assert repairs.tables == ["a"]
