"""Redrives of dead letters from the current state of their items, and filters for redrives and purges."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from builders import stream_record
from dead_letter_stores import letter
from deployments import Deployment, ask, documents_of

from routes.images import Images
from service.bootstrap.application import App
from service.commands.dead_letters.redrive import redrive
from service.commands.dead_letters.selection import Filter, purge, survey
from service.entrypoints.cli import main
from service.errors import SettingsError
from service.pipeline import DeadLetter, Delivery, Outcome, Result
from service.sources.envelopes import unwrap


class Strict(Images):
    """The sample route with a bug."""

    broken = True

    def document(self, item):
        if self.broken and item["id"] != "fine":
            raise ValueError("mistake")
        return super().document(item)


@pytest.fixture
def app(deployment: Deployment, make_box) -> Iterator[App]:
    """Yield an app whose route rejected two items. One item has changed since, the other is deleted."""
    where, _ = make_box("folder")
    with App(replace(deployment.settings, dead_letters=where), [Strict()]) as app:
        raws = [
            stream_record(new={"id": name, "title": "old"}, table=deployment.table, sequence=str(number))
            for number, name in enumerate(["changed", "gone", "fine"])
        ]
        app.dispatcher.run(Delivery([record for raw in raws for record in unwrap(raw)]))
        deployment.items.put_item(Item={"id": "changed", "title": "new"})
        assert len(list(app.letters.read())) == 2
        yield app


def test_a_redrive_after_the_route_was_mended_writes_what_is_there_now(
    app: App, deployment: Deployment, monkeypatch
):
    monkeypatch.setattr(Strict, "broken", False)
    for _ in range(2):  # the second redrive finds nothing to do
        redrive(app.letters, Filter(), app.dispatcher_of)
    documents = documents_of(deployment.search_url, deployment.index)
    assert {name: document["title"] for name, document in documents.items()} == {"changed": "new", "fine": "old"}
    assert list(app.letters.read()) == []


def test_a_redrive_also_writes_to_an_index_that_is_being_rebuilt(app: App, deployment: Deployment, monkeypatch):
    monkeypatch.setattr(Strict, "broken", False)
    copy = f"{deployment.index}-000002"
    ask("PUT", f"{deployment.search_url}/{copy}", {"aliases": {f"{deployment.index}--also": {}}})
    with App(app.settings, [Strict()]) as later:  # the other app still uses the aliases that it read earlier
        redrive(later.letters, Filter(), later.dispatcher_of)
    found = documents_of(deployment.search_url, copy)
    assert {name: document["title"] for name, document in found.items()} == {"changed": "new"}


def test_a_redrive_of_what_is_still_broken_keeps_the_letter(app: App):
    ends = redrive(app.letters, Filter(), app.dispatcher_of).ends
    # The deleted item needs no document, so its record counts as applied.
    assert dict(ends) == {"rejected": 1, "applied": 1}
    assert [kept.record["dynamodb"]["Keys"]["id"]["S"] for kept in app.letters.read()] == ["changed"]


def test_a_redrive_makes_no_index_older(app: App, deployment: Deployment, monkeypatch):
    monkeypatch.setattr(Strict, "broken", False)
    now = int(time.time())
    newer = stream_record(new={"id": "changed", "title": "newest"}, table=deployment.table, created=now)
    app.dispatcher.run(Delivery(list(unwrap(newer))))
    assert dict(redrive(app.letters, Filter(), app.dispatcher_of).ends) == {"stale": 1, "applied": 1}
    assert documents_of(deployment.search_url, deployment.index)["changed"]["title"] == "newest"


def test_a_letter_of_a_route_that_is_gone_is_kept_and_told(app: App):
    app.letters.store([letter("x", route="videos:Videos")])
    ends = redrive(app.letters, Filter(route="videos:Videos"), app.dispatcher_of).ends
    assert dict(ends) == {"kept: no route videos:Videos is registered": 1}
    assert len(list(app.letters.read())) == 3


def test_letters_are_chosen_by_route_reason_time_and_id(app: App):
    app.letters.store([letter("x", route="videos:Videos", reason="too long")])

    def count(**wanted: str) -> int:
        return sum(map(Filter(**wanted).takes, app.letters.read()))

    (last,) = [kept for kept in app.letters.read() if kept.route == "videos:Videos"]
    assert count() == 3
    assert count(route="videos:Videos") == count(reason="too long") == count(letter=last.id[:8]) == 1
    assert (count(since="2020"), count(until="2020"), count(since="2999")) == (3, 0, 0)


def test_purge_never_takes_all_by_mistake(app: App):
    with pytest.raises(SettingsError, match="filter"):
        purge(app.letters, Filter(), "9")
    with pytest.raises(SettingsError, match="filter"):
        survey(app.letters, Filter())
    which = Filter(reason="mistake")
    found = survey(app.letters, which)
    assert (found.count, list(found.routes.values())) == (2, [2])
    assert purge(app.letters, which, "2020") == 0  # dead letters stored after the survey stay
    assert purge(app.letters, which, found.last) == 2
    assert list(app.letters.read()) == []


def test_a_redrive_with_the_server_down_stops_at_once_and_says_what_remains(
    app: App, deployment: Deployment, capsys, monkeypatch
):
    for variable, value in deployment.environment.items():
        monkeypatch.setenv(variable, value)
    for name in "xy":
        (record,) = unwrap(stream_record(new={"id": name}, table=deployment.table, sequence=name))
        app.letters.store([DeadLetter(record, "images:Images", Result(Outcome.REJECTED, "bad"))])
    where = app.settings.dead_letters
    options = [f"--dead-letters={where}", "--search-url=http://127.0.0.1:1", "--retry-time=600"]
    assert main(["dead-letters", "redrive", "--route=images:Images", *options]) == 4
    out, err = capsys.readouterr()
    assert "redrive stopped: every record of a batch failed" in err
    assert f"{where} still holds about 4 dead letters" in err
    assert out == "2 retry\n"
    assert len(list(app.letters.read())) == 4


def test_a_letter_that_no_route_takes_any_longer_is_kept(app: App, monkeypatch):
    monkeypatch.setattr(Strict, "broken", False)
    with App(replace(app.settings, names={}), [Strict()]) as elsewhere:
        ends = redrive(elsewhere.letters, Filter(), elsewhere.dispatcher_of).ends
    assert all(end.startswith("kept: no route for table") for end in ends)
    assert len(list(app.letters.read())) == 2
