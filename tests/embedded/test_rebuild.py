"""Rebuilds that replace an index with a new one, while the table changes and readers search."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from threading import Event, Thread
from typing import Any, ClassVar

import pytest
from deployments import Deployment, Running, ask, auto_create, changing, documents_of, eventually, fill

from routes.images import Images, ImageUploads
from service.bootstrap.application import App
from service.commands.backfill.loading import BackfillOptions, Scan, backfill
from service.commands.rebuild import filling
from service.commands.rebuild import rebuild as rebuilding
from service.commands.rebuild.rebuild import RebuildOptions, Rebuilt, change
from service.commands.tables import TableFilter
from service.errors import SettingsError
from service.sinks.opensearch import alias_targets, index_copies

SCAN = Scan(segments=2)


class Described(Images):
    """The next release, with another mapping and one more field in each document."""

    mapping: ClassVar = {"properties": {"title": {"type": "text"}, "length": {"type": "integer"}}}

    def document(self, item: Any) -> Any:
        return {**(super().document(item) or {}), "length": len(item["title"])}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make writers re-read the aliases often, so that a rebuild does not wait for ten seconds."""
    monkeypatch.setattr(alias_targets, "SEEN_FOR", 0.1)
    monkeypatch.setattr(rebuilding, "UNTIL_ALL_HAVE_SEEN", 0.5)
    monkeypatch.setattr(rebuilding, "longest_request", lambda settings: 0.0)


@pytest.fixture
def released(running: Deployment) -> Iterator[App]:
    """Yield the service of the next release, which rebuilds."""
    app = App(running.settings, [Described(), ImageUploads()])
    yield app
    app.close()


def do(app: App, advance: Any = lambda more: None, patience: float = 1.0, **what: Any) -> Rebuilt:
    (one,) = change(app, TableFilter(), RebuildOptions(**what), SCAN, BackfillOptions(), patience, advance)
    return one


def titles(deployment: Deployment, index: str = "") -> dict[str, str]:
    found = documents_of(deployment.search_url, index or deployment.index)
    return {name: document["title"] for name, document in found.items()}


def truth(deployment: Deployment) -> dict[str, str]:
    return {item["id"]: item["title"] for item in deployment.items.scan()["Items"]}


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


def test_the_old_index_is_kept_in_step_until_it_is_dropped_and_there_is_a_way_back(
    running: Deployment, released: App
) -> None:
    fill(running, 10)
    eventually(lambda: len(titles(running)), 10)
    do(released, rebuild=True)
    running.items.put_item(Item={"id": "i0003", "title": "after"})
    running.items.delete_item(Key={"id": "i0004"})
    eventually(lambda: titles(running), truth(running))
    with pytest.raises(SettingsError, match="--drop-old to delete it, or --rollback to put it back"):
        do(released, rebuild=True)
    assert do(released, rollback=True).live == f"{running.index}-000001"
    assert titles(running) == truth(running)
    running.items.put_item(Item={"id": "i0005", "title": "after the way back"})
    eventually(lambda: titles(running), truth(running))
    with pytest.raises(SettingsError, match="nothing to roll back"):
        do(released, rollback=True)
    assert do(released, rebuild=True).live == f"{running.index}-000002"
    assert titles(running) == truth(running)
    do(released, drop_old=True)
    assert list(ask("GET", f"{running.search_url}/{running.index}*/_alias")) == [f"{running.index}-000002"]
    running.items.put_item(Item={"id": "i0006", "title": "at the end"})
    eventually(lambda: titles(running), truth(running))
    assert list(ask("GET", f"{running.search_url}/{running.index}*/_alias")) == [f"{running.index}-000002"]
    with pytest.raises(SettingsError, match="nothing to roll back"):
        do(released, rollback=True)


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


@pytest.mark.long
def test_an_old_index_that_is_blocked_for_seconds_is_kept_and_a_rollback_lacks_nothing(
    running: Deployment, released: App
) -> None:
    fill(running, 5)
    eventually(lambda: len(titles(running)), 5)
    do(released, rebuild=True)
    old = f"{running.search_url}/{running.index}-000001"
    ask("PUT", f"{old}/_settings", {"index.blocks.write": True})
    running.items.put_item(Item={"id": "i0002", "title": "while it is blocked"})
    running.items.delete_item(Key={"id": "i0003"})
    eventually(lambda: titles(running).get("i0002"), "while it is blocked")  # the searched index is not blocked
    ask("PUT", f"{old}/_settings", {"index.blocks.write": False})
    eventually(lambda: titles(running, f"{running.index}-000001"), truth(running))
    assert do(released, rollback=True).live == f"{running.index}-000001"
    assert titles(running) == truth(running)


def test_an_old_index_that_has_missed_a_write_is_put_back_only_if_that_is_accepted(
    running: Deployment, released: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_copies, "RETRY_FOR", 0.0)
    fill(running, 5)
    eventually(lambda: len(titles(running)), 5)
    do(released, rebuild=True)
    ask("PUT", f"{running.search_url}/{running.index}-000001/_settings", {"index.blocks.write": True})
    running.items.put_item(Item={"id": "i0002", "title": "missed"})
    eventually(lambda: titles(running).get("i0002"), "missed")
    old = f"{running.index}-000001"
    aliases = f"{running.search_url}/{old}/_alias"
    eventually(lambda: set(ask("GET", aliases)[old]["aliases"]), {f"{running.index}--old"})
    with pytest.raises(SettingsError, match=r"000001 has missed writes .*--accept-stale.*--drop-old to delete it"):
        do(released, rollback=True)
    with pytest.raises(SettingsError, match="--drop-old"):
        do(released, rebuild=True)
    assert do(released, rollback=True, accept_stale=True).live == old
    assert "000002 deleted" in do(released, abandon=True).words
    assert list(ask("GET", f"{running.search_url}/{running.index}*/_alias")) == [old]


def test_a_late_write_to_an_index_that_was_dropped_creates_none(running: Deployment, released: App) -> None:
    fill(running, 3)
    eventually(lambda: len(titles(running)), 3)
    do(released, rebuild=True)
    do(released, drop_old=True)
    version = {"version": 2**62, "version_type": "external_gte"}
    meta = {"_index": f"{running.index}-000001", "_id": "i0001", **version}
    lines = [{"index": meta}, {"title": "late"}, {"delete": {**meta, "_id": "i0002"}}]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    with auto_create(running.search_url):
        answer = released.context.search.bulk(body=body)
    assert [item["status"] for entry in answer["items"] for item in entry.values()] == [400, 400]
    assert list(ask("GET", f"{running.search_url}/{running.index}*/_alias")) == [f"{running.index}-000002"]
    assert titles(running) == truth(running)
    assert do(released, rebuild=True).live == f"{running.index}-000003"


@pytest.mark.long
def test_a_rebuild_whose_copy_is_given_up_stops_at_the_next_page(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[int] = []
    monkeypatch.setattr(rebuilding, "SEEN_FOR", 0.0)
    monkeypatch.setattr(filling, "load_tables", lambda *words: [words[6](1) for _ in range(50)])

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
