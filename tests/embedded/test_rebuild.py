"""Rebuilds that replace an index with a new one, while the table changes and readers search."""

from __future__ import annotations

from dataclasses import replace
from threading import Event, Thread
from typing import Any, ClassVar

import pytest
from deployments import Deployment, Running, ask, changing, eventually, fill
from rebuilds import SCAN, Described, do, titles, truth

from routes.images import Images, ImageUploads
from service.bootstrap.application import App
from service.commands.backfill.loading import BackfillOptions, backfill
from service.commands.tables import TableFilter
from service.errors import SettingsError

pytestmark = pytest.mark.usefixtures("impatient_rebuilds")


class Reader:
    """A reader that searches through the alias for unchanged items, which each search must find."""

    def __init__(self, deployment: Deployment, names: set[str]):
        self.searches = 0
        self.missed: list[Any] = []
        self._deployment, self._names = deployment, names
        self._stopping = Event()
        self._thread = Thread(target=self._work)

    def _work(self) -> None:
        query = {"size": 200, "_source": False, "query": {"ids": {"values": sorted(self._names)}}}
        url = f"{self._deployment.search_url}/{self._deployment.index}/_search"
        while not self._stopping.wait(0.02):
            found = ask("POST", url, query)
            names = {hit["_id"] for hit in found["hits"]["hits"]} if found else set()
            self.searches += 1
            if names != self._names:
                self.missed.append(self._names - names)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()


@pytest.mark.long
def test_a_rebuild_while_the_table_changes_loses_nothing_and_no_search_misses_a_document(
    running: Deployment, released: App
) -> None:
    fill(running, 150)
    eventually(lambda: len(titles(running)), 150)
    still = {f"i{number:04d}" for number in range(100, 150)}
    with changing(running, "i", 60, pause=0.005), Reader(running, still) as reader:
        one = do(released, rebuild=True, patience=10.0)  # on a busy machine the stream may lag for seconds
    assert one.words == f"{running.index}-000002 has replaced {running.index}-000001"
    assert reader.searches > 5
    assert reader.missed == []
    eventually(lambda: titles(running), truth(running))
    lengths = {document.get("length") for name, document in running.documents().items() if name in still}
    assert lengths == {9}
    mapping = ask("GET", f"{running.search_url}/{running.index}/_mapping")[f"{running.index}-000002"]["mappings"]
    assert mapping["properties"]["length"] == {"type": "integer"}
    assert titles(running, f"{running.index}-000001").keys() == truth(running).keys()


class Pictured(Described):
    """A later release, with index settings and another alias."""

    index_settings: ClassVar = {"refresh_interval": "7s", "number_of_shards": 2}
    aliases: ClassVar = ("pictures",)


def test_a_new_index_is_as_declared_and_is_found_by_another_name_only_once_it_is_in_place(
    running: Deployment,
) -> None:
    fill(running, 10)
    eventually(lambda: len(titles(running)), 10)
    pictures, url = f"pictures-of-{running.index}", running.search_url
    first, second, third = (f"{running.index}-00000{number}" for number in (1, 2, 3))
    led: list[set[str]] = []
    requests: list[Any] = []

    def holders() -> set[str]:
        return set(ask("GET", f"{url}/_alias/{pictures}") or {})

    names = {**running.settings.names, "index/pictures": pictures}
    with App(replace(running.settings, names=names), [Pictured(), ImageUploads()]) as app:
        indices = app.context.search.indices
        update = indices.update_aliases

        def updated(body: Any) -> Any:
            requests.append([of.get("alias") for one in body["actions"] for of in one.values()])
            return update(body=body)

        indices.update_aliases = updated
        assert do(app, lambda more: led.append(holders()), rebuild=True).live == second
        assert led
        assert set(map(frozenset, led)) == {frozenset()}
        assert holders() == {second}
        found = ask("GET", f"{url}/{second}/_settings?flat_settings=true")[second]["settings"]
        assert (found["index.refresh_interval"], found["index.number_of_shards"]) == ("7s", "2")
        do(app, rollback=True)
        assert holders() == {first}
        do(app, rebuild=True)
        assert holders() == {second}
        do(app, drop_old=True)
        led.clear()
        assert do(app, lambda more: led.append(holders()), rebuild=True).live == third
        assert set(map(frozenset, led)) == {frozenset({second})}
        assert holders() == {third}
        moves = [one for one in requests if pictures in one]
    assert len(moves) == 4  # each request moves all aliases
    assert all({running.index, f"{running.index}--also"} <= set(one) for one in moves)


@pytest.mark.long
def test_the_index_that_is_filled_has_no_aliases_even_if_it_has_to_be_made_again(deployment: Deployment) -> None:
    pictures, copy = f"pictures-of-{deployment.index}", f"{deployment.index}-000002"
    names = {**deployment.settings.names, "index/pictures": pictures}
    fill(deployment, 3)
    with App(replace(deployment.settings, names=names), [Pictured(), ImageUploads()]) as app:
        assert app.router.indices[deployment.index].aliases == (pictures,)
        inside = app.into(deployment.index, copy, app.letters)
        backfill(inside, TableFilter(), SCAN, BackfillOptions(), lambda more: None)
    assert len(titles(deployment, copy)) == 3
    assert ask("GET", f"{deployment.search_url}/_alias/{pictures}") is None


@pytest.mark.long
def test_an_index_that_is_no_alias_is_replaced_only_when_that_is_said(deployment: Deployment) -> None:
    plain, own = f"plain-{deployment.index}", f"own-{deployment.index}"
    ask("PUT", f"{deployment.search_url}/{plain}", {"aliases": {own: {}}})
    names = {**deployment.settings.names, "index/images": plain}
    with App(replace(deployment.settings, names=names), [Described(), ImageUploads()]) as app:
        fill(deployment, 5)
        backfill(app, TableFilter(), SCAN, BackfillOptions(), lambda more: None)
        with pytest.raises(SettingsError, match="--replace-index"):
            do(app, rebuild=True)
        workers = Running(app)
        try:
            assert do(app, rebuild=True, replace_index=True).done
            assert list(ask("GET", f"{deployment.search_url}/_alias/{own}")) == [f"{plain}-000001"]
            deployment.items.put_item(Item={"id": "new", "title": "new"})
            eventually(lambda: titles(deployment, f"plain-{deployment.index}"), truth(deployment))
        finally:
            workers.stop()


@pytest.mark.long
def test_what_fills_an_index_and_takes_no_new_items_keeps_it_from_being_rebuilt(running: Deployment) -> None:
    class Firsts(Images):
        where: ClassVar = {"id": "i*"}

    class Changed(Images):
        where: ClassVar = {"id": "j*"}
        ignore: ClassVar = ("INSERT",)

    fill(running, 1)
    eventually(lambda: len(titles(running)), 1)
    with (
        App(running.settings, [Firsts(), Changed()]) as app,
        pytest.raises(SettingsError, match="Changed fills it"),
    ):
        do(app, rebuild=True)


def test_an_index_that_was_never_made_is_told(deployment: Deployment) -> None:
    missing = {**deployment.settings.names, "index/images": f"none-{deployment.index}"}
    with (
        App(replace(deployment.settings, names=missing), [Images()]) as app,
        pytest.raises(SettingsError, match="run backfill without --rebuild"),
    ):
        do(app, rebuild=True)
