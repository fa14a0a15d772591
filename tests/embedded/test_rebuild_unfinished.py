"""Rebuilds that end before the new index is in place: refused items, failed writes, interruptions."""

from __future__ import annotations

from typing import ClassVar

import pytest
from deployments import Deployment, ask, eventually, fill
from rebuilds import SCAN, Described, do, titles, truth

from routes.images import Images, ImageUploads
from service.bootstrap.application import App
from service.commands.backfill.loading import BackfillOptions, backfill
from service.commands.rebuild import filling
from service.commands.rebuild import rebuild as rebuilding
from service.commands.tables import TableFilter
from service.errors import SettingsError

pytestmark = pytest.mark.usefixtures("impatient_rebuilds")


def test_an_index_that_refuses_items_is_not_put_in_place_unless_that_is_accepted(
    running: Deployment,
) -> None:
    class Strict(Images):
        mapping: ClassVar = {"properties": {"title": {"type": "integer"}}}

    fill(running, 5)
    running.items.put_item(Item={"id": "number", "title": "7"})
    eventually(lambda: len(titles(running)), 6)
    with App(running.settings, [Strict(), ImageUploads()]) as app:
        one = do(app, rebuild=True)
        assert not one.done
        assert "field title contains text, but is mapped as integer" in one.words
        assert len(titles(running)) == 6
        assert running.rejected() == []
        again = do(app, rebuild=True, accept_refused=True)
    assert not again.done  # the verification reports the missing document, too


def test_a_write_that_the_new_index_cannot_take_ends_the_rebuild_and_disturbs_nobody(
    running: Deployment, released: App
) -> None:
    class Dated(Described):
        mapping: ClassVar = {"properties": {"title": {"type": "date"}}}

    with running.items.batch_writer() as batch:
        for number in range(1, 10):
            batch.put_item(Item={"id": f"i{number}", "title": f"2026-01-0{number}"})
    eventually(lambda: len(titles(running)), 9)
    written: list[int] = []

    def prefetch(more: int) -> None:
        if not written:
            written.append(more)
            running.items.put_item(Item={"id": "i5", "title": "no date"})
            eventually(lambda: titles(running).get("i5"), "no date")

    with App(running.settings, [Dated(), ImageUploads()]) as app:
        one = do(app, prefetch, rebuild=True)
    assert (one.done, "has missed a write" in one.words) == (False, True)
    assert running.rejected() == []
    assert titles(running) == truth(running)
    assert do(released, rebuild=True).live == f"{running.index}-000003"  # the leftovers of the other are deleted


def test_an_interrupted_rebuild_goes_on_and_an_abandoned_one_leaves_nothing(
    running: Deployment, released: App
) -> None:
    fill(running, 20)
    eventually(lambda: len(titles(running)), 20)

    def interrupt(more: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        do(released, interrupt, rebuild=True)
    assert len(list(ask("GET", f"{running.search_url}/{running.index}*/_alias"))) == 2
    assert " deleted" in do(released, abandon=True).words
    assert list(ask("GET", f"{running.search_url}/{running.index}*/_alias")) == [f"{running.index}-000001"]
    with pytest.raises(KeyboardInterrupt):
        do(released, interrupt, rebuild=True)
    assert do(released, rebuild=True).live == f"{running.index}-000003"
    assert titles(running) == truth(running)


@pytest.mark.long
def test_a_rebuild_whose_copy_is_given_up_stops_at_the_next_page(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[int] = []
    monkeypatch.setattr(rebuilding, "SEEN_FOR", 0.0)
    monkeypatch.setattr(filling.Backfill, "run", lambda self, *_: [self.advance(1) for _ in range(50)])

    def advance(more: int) -> None:
        pages.append(more)
        if len(pages) == 3:
            alias = {"index": f"{deployment.index}-000002", "alias": f"{deployment.index}--also"}
            ask("POST", f"{deployment.search_url}/_aliases", {"actions": [{"remove": alias}]})

    backfill(deployment.app, TableFilter(), SCAN, BackfillOptions(), lambda more: None)
    fill(deployment, 1)
    with App(deployment.settings, [Described(), ImageUploads()]) as app:
        backfill(app, TableFilter(), SCAN, BackfillOptions(), lambda more: None)
        one = do(app, advance, rebuild=True)
        assert (one.done, "has missed a write" in one.words) == (False, True)
        assert len(pages) == 3
        assert "000002 deleted" in do(app, abandon=True).words


def test_a_new_index_that_was_begun_by_another_release_is_not_gone_on_with(deployment: Deployment) -> None:
    fill(deployment, 2)
    backfill(deployment.app, TableFilter(), SCAN, BackfillOptions(), lambda more: None)
    aliases = {f"{deployment.index}--also": {}, f"{deployment.index}--new": {}}
    mapping = {"date_detection": False, "properties": {"title": {"type": "date"}}}
    ask("PUT", f"{deployment.search_url}/{deployment.index}-000002", {"mappings": mapping, "aliases": aliases})
    with App(deployment.settings, [Described(), ImageUploads()]) as app:
        with pytest.raises(SettingsError, match=r"title: type date -> text.*--abandon"):
            do(app, rebuild=True)
        assert do(app, abandon=True).done
        assert do(app, rebuild=True).live == f"{deployment.index}-000003"
