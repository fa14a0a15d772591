"""Checks of a sample of the items against the declared mapping, in a temporary index."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from book_shelf import Books, Shelf
from deployments import ask

from service.commands.indices.checking import check
from service.errors import Halt


def test_a_sample_that_fits_is_counted_and_leaves_nothing_behind(shelf: Shelf):
    shelf.put("b1", pages=12, tags={"x", "y"})
    shelf.put("b2", secret=True)
    shelf.put("other", pages="none of ours")
    checked = shelf.check()
    assert (checked.items, checked.documents, checked.conflicts) == (3, 1, [])
    assert shelf.left_behind() == {}
    assert ask("GET", f"{shelf.server.url}/{shelf.server.name}") is None


def test_what_does_not_fit_is_told_by_field_and_document_and_its_value_is_not(shelf: Shelf):
    shelf.put("b1", pages=12)
    shelf.put("b2", pages="a dozen", tags={"x"})
    shelf.put("b3", bad=True)
    conflicts = {one.id.rpartition("|")[2]: one for one in shelf.check().conflicts}
    assert sorted(conflicts) == ["b2", "b3"]
    assert conflicts["b2"].reason == "mapping conflict: field pages contains text, but is mapped as long"
    assert "a book that is none" in conflicts["b3"].reason
    assert conflicts["b2"].route == "book_shelf:Books"
    assert shelf.left_behind() == {}


def test_no_more_than_the_sample_is_read(shelf: Shelf):
    for number in range(7):
        shelf.put(f"b{number}", pages=number)
    assert shelf.check(sample=3).items == 3


def test_an_index_that_was_left_behind_is_deleted_by_the_next_check(shelf: Shelf):
    now = datetime.now(UTC)
    old, young = (f"streamdex-check-{now - timedelta(minutes=age):%Y%m%d%H%M%S}-x" for age in (90, 5))
    for index in (old, young):
        shelf.server.make(index)
    shelf.put("b1")
    shelf.check()
    assert list(shelf.left_behind()) == [young]
    ask("DELETE", f"{shelf.server.url}/{young}")


def test_a_check_that_is_interrupted_leaves_nothing_behind(shelf: Shelf, monkeypatch):
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    shelf.put("b1")
    monkeypatch.setattr(Books, "document", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shelf.check()
    assert shelf.left_behind() == {}


def test_without_a_region_it_is_said_what_is_missing(shelf: Shelf, monkeypatch):
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    declared = shelf.router.indices[shelf.server.name]
    with pytest.raises(Halt, match="region"):
        check(shelf.server.context, shelf.router, declared, [shelf.table], 10, lambda more: None)
    assert shelf.left_behind() == {}


def test_a_table_that_is_not_there_halts(shelf: Shelf):
    declared = shelf.router.indices[shelf.server.name]
    with pytest.raises(Halt, match="books-gone does not exist"):
        check(shelf.context, shelf.router, declared, ["books-gone"], 10, lambda more: None)
