"""Backfill and verify: whole tables against whole indices, with and without the running service."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from threading import Lock
from typing import Any, ClassVar

import pytest
from deployments import Deployment, Running, ask, aws_client, changing, documents_of, eventually, fill

from routes.images import Images, ImageUploads
from service import Index
from service.bootstrap.application import App
from service.commands.backfill.loading import BackfillOptions as Loading
from service.commands.backfill.loading import Scan, backfill
from service.commands.tables import TableFilter, chosen
from service.commands.verify import Finding, Verification, Verified, VerifyOptions
from service.errors import Halt, SettingsError
from service.model.versions import stream_version
from service.settings import Settings

ALL, SCAN = TableFilter(), Scan(segments=3)


def load(app: App, **options: Any) -> Counter[str]:
    return backfill(app, options.pop("which", ALL), SCAN, Loading(**options), lambda more: None).counts


def compared(app: App, which: TableFilter = ALL, **options: Any) -> tuple[Verified, list[tuple[Finding, str]]]:
    told: list[tuple[Finding, str]] = []
    patience = options.pop("patience", 0.3)

    def tell(finding: Finding, became: str) -> None:
        told.append((finding, became))

    found = Verification(app, SCAN, VerifyOptions(**options), patience, tell).run(chosen(app, which))
    return found, told


def kinds(told: list[tuple[Finding, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for finding, _ in told:
        found.setdefault(finding.kind.value, set()).add(finding.location.id)
    return found


def write(deployment: Deployment, *lines: Any) -> None:
    """Send a bulk request, as another program would."""
    import urllib.request

    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    request = urllib.request.Request(
        f"{deployment.search_url}/_bulk?refresh=true", body, {"Content-Type": "application/x-ndjson"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert not json.load(answer)["errors"]


def action(deployment: Deployment, kind: str, name: str, version: int) -> Any:
    return {kind: {"_index": deployment.index, "_id": name, "version": version, "version_type": "external_gte"}}


def plant(deployment: Deployment, each: int) -> dict[str, set[str]]:
    """Create faults of every kind in the first documents. Return their ids by kind."""
    found = ask("POST", f"{deployment.search_url}/{deployment.index}/_search", {"size": 1000, "version": True})
    documents = {hit["_id"]: hit for hit in found["hits"]["hits"]}
    names = iter(sorted(documents))
    planted: dict[str, set[str]] = {kind: set() for kind in ("missing", "stale", "ahead", "orphan")}
    lines: list[Any] = []
    soon = stream_version(time.time(), None)
    for _ in range(each):
        name = next(names)
        lines.append(action(deployment, "delete", name, documents[name]["_version"]))
        planted["missing"].add(name)
        name = next(names)
        lines += [action(deployment, "index", name, documents[name]["_version"]), {"title": "as it was once"}]
        planted["stale"].add(name)
        name = next(names)
        lines += [action(deployment, "index", name, soon), {"title": "as it will be"}]
        planted["ahead"].add(name)
        name = f"orphan of {next(names)}"
        lines += [action(deployment, "index", name, documents[min(documents)]["_version"]), {"title": "boo"}]
        planted["orphan"].add(name)
    write(deployment, *lines)
    return planted


def test_a_backfill_loads_a_table_that_nobody_has_read_yet(deployment: Deployment) -> None:
    fill(deployment, 250)
    assert load(deployment.app) == {"applied": 250}
    assert deployment.documents().keys() == {f"i{number:04d}" for number in range(250)}
    assert load(deployment.app) == {"applied": 250}
    assert not compared(deployment.app)[0].left


def test_what_is_loaded_is_dated_back_so_that_a_late_record_of_before_does_not_lose(running: Deployment) -> None:
    """Records of the last two minutes are still in the stream. They may arrive after the scan and must win."""
    fill(running, 20)
    eventually(lambda: len(running.documents()), 20)
    assert set(load(running.app)) == {"stale"}


def test_a_backfill_of_a_table_that_changes_all_the_time_ends_with_the_table(running: Deployment) -> None:
    fill(running, 100)
    with changing(running, "w", 40):
        for _ in range(3):
            load(running.app)
    truth = {item["id"]: item["title"] for item in running.items.scan()["Items"]}
    eventually(lambda: {name: document["title"] for name, document in running.documents().items()}, truth)
    found, told = compared(running.app)
    assert (found.left, told) == ({}, [])


@pytest.mark.long
def test_a_table_whose_changes_would_be_missed_is_not_loaded(deployment: Deployment) -> None:
    latest = App(replace(deployment.settings, start_at="LATEST"), [Images()])
    with latest, pytest.raises(SettingsError, match="start the service first"):
        load(latest)
    fill(deployment, 3)
    dynamodb = aws_client(deployment.settings.aws_endpoint_url_dynamodb or deployment.aws_url, "dynamodb")
    dynamodb.update_table(TableName=deployment.table, StreamSpecification={"StreamEnabled": False})
    with pytest.raises(SettingsError, match="--without-stream"):
        load(deployment.app)
    assert load(deployment.app, without_stream=True) == {"applied": 3}


def test_an_alias_that_was_rolled_over_is_not_verified_but_repaired_first(deployment: Deployment) -> None:
    fill(deployment, 3)
    load(deployment.app)
    written, other = f"{deployment.index}-000001", f"{deployment.index}-000002"
    ask("PUT", f"{deployment.search_url}/{other}", {"aliases": {deployment.index: {"is_write_index": True}}})
    with pytest.raises(
        Halt, match=f"it points to {other}, which is written, and to {written}: .* verify --repair"
    ):
        compared(deployment.app)
    ask(
        "POST",
        f"{deployment.search_url}/_aliases",
        {"actions": [{"remove": {"index": written, "alias": deployment.index}}]},
    )
    assert compared(deployment.app, repair=True)[0].repaired == {"missing": 3}
    assert len(documents_of(deployment.search_url, other)) == 3


def test_what_the_route_or_the_index_refuses_is_counted_and_kept(deployment: Deployment) -> None:
    class Strict(Images):
        def document(self, item: Any) -> Any:
            if item["id"] == "i0001":
                raise ValueError("no")
            return super().document(item)

    fill(deployment, 5)
    with App(deployment.settings, [Strict()]) as app:
        assert load(app) == {"applied": 4, "rejected": 1}
        found, told = compared(app)
    assert [letter["reason"].partition(":")[0] for letter in deployment.rejected()]
    assert (found.items, found.refused, told) == (5, 1, [])


def test_verify_finds_every_planted_fault_and_nothing_else_and_repair_leaves_none(deployment: Deployment) -> None:
    fill(deployment, 200)
    load(deployment.app)
    planted = plant(deployment, 12)
    found, told = compared(deployment.app)
    assert kinds(told) == planted
    assert (found.items, found.documents) == (200, 200)
    (one,) = [finding for finding, _ in told if finding.location.id == min(planted["stale"])]
    assert [field.held for field in one.fields if field.path == "title"] == ["as it was once"]
    assert one.key == {"id": one.location.id}
    again, repaired = compared(deployment.app, repair=True)
    assert kinds(repaired) == planted
    assert {became for _, became in repaired} == {"repaired"}
    assert (again.left, sum(again.repaired.values())) == ({}, 48)
    assert compared(deployment.app)[1] == []
    assert deployment.documents().keys() == {f"i{number:04d}" for number in range(200)}


def test_faults_are_found_and_repaired_while_the_table_changes(running: Deployment) -> None:
    fill(running, 100)
    eventually(lambda: len(running.documents()), 100)
    planted = plant(running, 5)
    planted["stale"] |= planted.pop("ahead")  # their version is recent: verify may report them as stale
    with changing(running, "w", 40):
        found, told = compared(running.app, patience=3.0, repair=True)
    everything = {finding.location.id for finding, _ in told}
    assert everything == set().union(*planted.values())
    assert not found.left
    truth = {item["id"]: item["title"] for item in running.items.scan()["Items"]}
    eventually(lambda: {name: document["title"] for name, document in running.documents().items()}, truth)


def test_a_change_that_is_on_its_way_is_no_fault(deployment: Deployment) -> None:
    """The service starts only after the verification has found that the index lags."""
    fill(deployment, 30)
    load(deployment.app)
    deployment.items.put_item(Item={"id": "i0003", "title": "changed"})
    deployment.items.delete_item(Key={"id": "i0004"})
    deployment.items.put_item(Item={"id": "new", "title": "new"})
    started: list[Running] = []
    lock = Lock()

    def start(more: int) -> None:
        with lock:
            if not started:
                started.append(Running(deployment.app))

    told: list[Any] = []
    try:
        verification = Verification(
            deployment.app, SCAN, VerifyOptions(), 20.0, lambda *fault: told.append(fault), start
        )
        found = verification.run(chosen(deployment.app, ALL))
    finally:
        started[0].stop()
    assert (found.left, told) == ({}, [])


@pytest.mark.long
def test_what_the_route_does_itself_cannot_be_verified_and_is_told(deployment: Deployment) -> None:
    class Own(Images):
        def insert(self, record: Any, context: Any) -> Any:
            return [Index({"title": "own"})]

    fill(deployment, 3)
    with App(deployment.settings, [Own()]) as app:
        found, told = compared(app)
    assert (found.items, told) == (0, [])
    assert list(found.unverifiable.values()) == ["the route has its own insert() or modify()"]


def test_documents_of_others_in_the_index_are_not_taken_for_orphans(deployment: Deployment) -> None:
    class Firsts(Images):
        where: ClassVar = {"id": "i*"}

    class Seconds(Images):
        where: ClassVar = {"id": "j*"}

    deployment.items.put_item(Item={"id": "j1", "title": "of another route"})
    fill(deployment, 10)
    with App(deployment.settings, [Firsts(), Seconds(), ImageUploads()]) as app:
        assert load(app) == {"applied": 11}
        assert compared(app)[1] == []
        name = next(bound.name for bound in app.router.bound if "Firsts" in bound.name)
        found, told = compared(app, TableFilter(route=name))
        assert (found.items, told) == (11, [])
        assert "Seconds" in found.unverifiable[f"index {deployment.index}"]
        deployment.items.delete_item(Key={"id": "j1"})
        _, told = compared(app, repair=True)
        assert kinds(told) == {"orphan": {"j1"}}
        assert compared(app)[1] == []


def test_a_document_with_the_id_of_no_item_is_an_orphan_and_goes(deployment: Deployment) -> None:
    fill(deployment, 3)
    load(deployment.app)
    write(deployment, action(deployment, "index", "~stray", 5), {"title": "stray"})
    assert kinds(compared(deployment.app)[1]) == {"orphan": {"~stray"}}
    compared(deployment.app, repair=True)
    assert compared(deployment.app)[1] == []


def test_a_version_of_a_time_to_come_is_told_and_cannot_be_repaired_in_place(deployment: Deployment) -> None:
    fill(deployment, 3)
    load(deployment.app)
    version = stream_version(time.time() + 10**7, None)
    write(deployment, action(deployment, "index", "i0001", version), {"title": "title 1"})
    _, told = compared(deployment.app, repair=True)
    (finding, became) = told[-1]
    assert (finding.kind.value, finding.location.id) == ("ahead", "i0001")
    assert "rebuild the index" in became


@pytest.mark.long
def test_a_sample_looks_at_some_and_still_finds_what_is_everywhere(deployment: Deployment) -> None:
    fill(deployment, 300)
    load(deployment.app)
    found, told = compared(deployment.app, sample="10%")
    assert 0 < found.items < 300
    assert told == []
    for number in range(300):
        deployment.items.delete_item(Key={"id": f"i{number:04d}"})
    found, told = compared(deployment.app, sample="10%")
    assert 5 < len(told) < 80
    assert set(kinds(told)) == {"orphan"}


def test_a_share_that_is_none_is_told() -> None:
    with (
        App(Settings(search_url="http://127.0.0.1:1"), [Images()]) as app,
        pytest.raises(SettingsError, match="1%"),
    ):
        compared(app, sample="much")
