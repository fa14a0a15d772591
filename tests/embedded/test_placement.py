"""An index for each tenant and month: from the stream to the indices, and the commands on all of them.

tests/real runs the same tests on the real servers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from deployments import Deployment, Running, ask, aws_client, documents_of, eventually
from load import make_queue
from test_enqueue import is_drained

from infra.shim.provision import provision
from service import Document, Item, TableRoute
from service.bootstrap.application import App
from service.commands.backfill.loading import BackfillOptions, Scan, backfill
from service.commands.backfill.tasks import TaskWorker
from service.commands.doctor import DoctorContext, indices
from service.commands.indices.applying import apply
from service.commands.indices.checking import check
from service.commands.indices.command import selected, with_indices
from service.commands.indices.planning import plan
from service.commands.rebuild.rebuild import RebuildOptions, Rebuilt, change
from service.commands.tables import TableFilter, chosen
from service.commands.verify import Verification, Verified, VerifyOptions
from service.errors import SettingsError
from service.model.versions import stream_version
from service.routing import Location
from service.sinks.opensearch.alias_targets import look_for, unsearched
from service.web.page.search_page import find

SCAN = Scan(segments=2)
TENANTS, MONTHS = ("acme", "globex"), ("2026-01", "2026-02")


class Reviews(TableRoute):
    """Reviews of tenants, in an index for each tenant and month."""

    table: ClassVar = "reviews"
    key: ClassVar = {"tenant": "S", "at": "S"}
    index: ClassVar = "reviews-*"
    index_settings: ClassVar = {"number_of_shards": 3}
    mapping: ClassVar = {"_routing": {"required": True}, "properties": {"text": {"type": "keyword"}}}

    def index_of(self, keys: Mapping[str, Any]) -> str:
        return f"reviews-{keys['tenant']}-{keys['at'][:7]}"

    def routing_of(self, keys: Mapping[str, Any]) -> str:
        return keys["at"][8:10] or "none"

    def document(self, item: Item) -> Document | None:
        return {"text": item["text"]}


class Described(Reviews):
    """The next release, with another mapping and one more field in each document."""

    mapping: ClassVar = {
        **Reviews.mapping,
        "properties": {"text": {"type": "text"}, "length": {"type": "integer"}},
    }

    def document(self, item: Item) -> Document | None:
        return {"text": item["text"], "length": len(item["text"])}


class Shop:
    """A table of reviews, and the service that indexes them under its own names."""

    def __init__(self, deployment: Deployment, *, route: type[TableRoute] = Reviews, **settings: Any):
        number = deployment.table.removeprefix("images-")
        self.pattern = f"r-{number}-*"
        self.search_url = deployment.search_url
        names = {"table/reviews": f"reviews-{number}", "index/reviews-*": self.pattern}
        self.settings = replace(deployment.settings, names=names, read_queue=(), **settings)
        self.letters = deployment.rejected
        self.app = App(self.settings, [route()])
        provision(self.app)
        url = self.settings.aws_endpoint_url_dynamodb or deployment.aws_url
        self.items = aws_client(url, "dynamodb", "resource").Table(f"reviews-{number}")

    def put(self, tenant: str, at: str, text: str = "fine") -> None:
        self.items.put_item(Item={"tenant": tenant, "at": at, "text": text})

    def fill(self) -> None:
        for tenant in TENANTS:
            for month in MONTHS:
                for day in range(1, 7):
                    self.put(tenant, f"{month}-{day:02d}", f"{tenant} {month} {day}")

    def name(self, tenant: str, month: str) -> str:
        return self.pattern.replace("*", f"{tenant}-{month}")

    def documents(self, tenant: str, month: str) -> dict[str, Any]:
        name = self.name(tenant, month)
        return documents_of(self.search_url, name) if ask("GET", f"{self.search_url}/{name}/_alias") else {}

    def written_indices(self) -> list[str]:
        return [target.live for target in look_for(self.app.context, self.pattern)]

    def sizes(self) -> dict[str, int]:
        return {f"{t} {m}": len(self.documents(t, m)) for t in TENANTS for m in MONTHS}

    def release(self, route: type[TableRoute], **settings: Any) -> App:
        return App(replace(self.settings, **settings), [route()])


@pytest.fixture
def shop(deployment: Deployment) -> Iterator[Shop]:
    made = Shop(deployment)
    yield made
    made.app.close()
    for index in ask("GET", f"{made.search_url}/{made.pattern}/_alias") or {}:
        ask("DELETE", f"{made.search_url}/{index}")


@contextmanager
def running(app: App) -> Iterator[None]:
    workers = Running(app)
    try:
        yield
    finally:
        workers.stop()


FULL = {f"{tenant} {month}": 6 for tenant in TENANTS for month in MONTHS}


def compared(app: App, **options: Any) -> tuple[Verified, list[tuple[str, Location, str]]]:
    told: list[tuple[str, Location, str]] = []
    found = Verification(
        app,
        SCAN,
        VerifyOptions(**options),
        0.3,
        lambda finding, became: told.append((finding.kind.value, finding.location, became)),
    ).run(chosen(app, TableFilter()))
    return found, told


def do(app: App, enqueue: str = "", **what: Any) -> list[Rebuilt]:
    options = BackfillOptions(enqueue=enqueue)
    return list(change(app, TableFilter(), RebuildOptions(**what), SCAN, options, 1.0, lambda more: None))


def plant(shop: Shop, index: str, name: str, routing: str, version: int) -> None:
    place = f"{index}/_doc/{name.replace('|', '%7C')}"
    options = f"routing={routing}&version={version}&version_type=external_gte&refresh=true"
    ask("PUT", f"{shop.search_url}/{place}?{options}", {"text": "boo"})


def test_every_change_of_an_item_reaches_the_document_in_its_index(shop: Shop) -> None:
    with running(shop.app):
        shop.fill()
        eventually(shop.sizes, FULL)
        shop.put("acme", "2026-01-01", "changed")
        shop.items.delete_item(Key={"tenant": "acme", "at": "2026-01-02"})
        eventually(lambda: shop.sizes()["acme 2026-01"], 5)
        eventually(lambda: shop.documents("acme", "2026-01")["acme|2026-01-01"], {"text": "changed"})
    assert shop.letters() == []
    found, told = compared(shop.app)
    assert (found.documents, found.items, told) == (23, 23, [])
    assert not found.unverifiable


def test_a_hostile_tenant_and_too_many_of_them_stop_nobody(deployment: Deployment) -> None:
    shop = Shop(deployment, max_indices=1)
    with running(shop.app):
        shop.put("acme", "2026-01-01")
        eventually(lambda: len(shop.documents("acme", "2026-01")), 1)
        for tenant in ("../_all", "_alias,*", "ACME", "x" * 300, "globex"):
            shop.put(tenant, "2026-01-01")
        shop.put("acme", "2026-01-02")
        eventually(lambda: len(shop.documents("acme", "2026-01")), 2)
        eventually(lambda: len(shop.letters()), 5)
    assert [target.name for target in look_for(shop.app.context, shop.pattern)] == [shop.name("acme", "2026-01")]
    shop.app.close()
    assert sum("of at most 1 that the service creates" in letter["reason"] for letter in shop.letters()) == 1


def test_the_remedy_of_a_dead_letter_creates_the_index_by_the_declaration(deployment: Deployment) -> None:
    shop = Shop(deployment, max_indices=0)
    for name in ("reviews-acme-2026-01", shop.name("globex", "2026-01")):
        (declared,) = selected(shop.app, [name])
        applied = apply(shop.app.context, plan(shop.app.context, declared))
        assert applied.done, applied.refused
    assert [target.name for target in look_for(shop.app.context, shop.pattern)] == [
        shop.name("acme", "2026-01"),
        shop.name("globex", "2026-01"),
    ]
    with running(shop.app):
        shop.put("acme", "2026-01-01")
        eventually(lambda: len(shop.documents("acme", "2026-01")), 1)
    with pytest.raises(SettingsError, match="no route has an index 'others'"):
        selected(shop.app, ["others"])
    shop.app.close()


def test_documents_in_a_wrong_index_or_with_a_wrong_routing_value_are_orphans(shop: Shop) -> None:
    shop.fill()
    assert backfill(shop.app, TableFilter(), SCAN, BackfillOptions(), lambda more: None).counts == {"applied": 24}
    here, there = shop.name("acme", "2026-01"), shop.name("globex", "2026-02")
    version = stream_version(time.time(), None)
    plant(shop, there, "acme|2026-01-03", "03", version)  # the item of this id belongs to the other index
    plant(shop, here, "acme|2026-01-30", "30", version)  # an id without an item
    # With a wrong routing value, a real server has a second copy if that belongs to another shard. The embedded
    # one, like a real one with one shard, changes the document.
    for wrong in map(str, range(40, 44)):
        plant(shop, here, "acme|2026-01-04", wrong, version)
    _, told = compared(shop.app)
    orphans = {
        ("orphan", Location(there, "acme|2026-01-03", "03"), ""),
        ("orphan", Location(here, "acme|2026-01-30", "30"), ""),
    }
    assert orphans <= set(told)
    found, told = compared(shop.app, repair=True)
    assert not found.left, told
    assert "acme|2026-01-04" in {place.id for _, place, _ in told}
    assert {(kind, place) for kind, place, _ in orphans} <= {(kind, place) for kind, place, _ in told}
    found, told = compared(shop.app)
    assert (found.documents, told) == (24, [])
    assert shop.sizes() == FULL


def test_a_missing_index_of_a_pattern_is_found_and_repaired(shop: Shop) -> None:
    shop.fill()
    backfill(shop.app, TableFilter(), SCAN, BackfillOptions(), lambda more: None)
    ask("DELETE", f"{shop.search_url}/{shop.name('acme', '2026-01')}-000001")
    fresh = shop.release(Reviews)  # another process, which has not cached the aliases
    _, told = compared(fresh, repair=True)
    assert {(kind, place.index, became) for kind, place, became in told} == {
        ("missing", shop.name("acme", "2026-01"), "repaired")
    }
    assert shop.sizes() == FULL
    fresh.close()


@pytest.mark.usefixtures("impatient_rebuilds")
def test_one_index_of_a_pattern_is_rebuilt_and_the_others_stay(shop: Shop) -> None:
    shop.fill()
    shop.put("A LOUD TENANT", "2026-01-01")  # belongs to no index
    backfill(shop.app, TableFilter(), SCAN, BackfillOptions(), lambda more: None)
    app = shop.release(Described)
    try:
        with running(app):
            (one,) = do(app, rebuild=True, index="reviews-acme-2026-01")
            name = shop.name("acme", "2026-01")
            assert one.words == f"{name}-000002 has replaced {name}-000001"
            shop.put("acme", "2026-01-20", "new")
            eventually(lambda: len(shop.documents("acme", "2026-01")), 7)
            assert {"text": "new", "length": 3} in shop.documents("acme", "2026-01").values()
            assert all("length" in document for document in shop.documents("acme", "2026-01").values())
            assert shop.written_indices().count(f"{name}-000002") == 1
            assert all(index.endswith("-000001") for index in shop.written_indices() if not index.startswith(name))
            assert unsearched(app.context, shop.pattern) == [f"{name}-000001"]
            rest = do(app, rebuild=True)  # continues with the indices that are not replaced yet
        assert [one.index for one in rest] == sorted(shop.name(t, m) for t in TENANTS for m in MONTHS)[1:]
        assert all(
            "length" in document for t in TENANTS for m in MONTHS for document in shop.documents(t, m).values()
        )
        with pytest.raises(SettingsError, match="none is in a state for this operation"):
            do(app, rebuild=True)
        assert len(do(app, drop_old=True)) == 4
        found, told = compared(app)
        assert (found.documents, told) == (25, [])
    finally:
        app.close()


@pytest.mark.usefixtures("impatient_rebuilds")
def test_one_index_of_a_pattern_is_rebuilt_by_queued_tasks(deployment: Deployment) -> None:
    queue = make_queue(deployment)
    shop = Shop(deployment, task_queue=queue, read_streams=False)
    shop.fill()
    backfill(shop.app, TableFilter(), SCAN, BackfillOptions(), lambda more: None)
    app = shop.release(Described)
    try:
        what = {"rebuild": True, "index": "reviews-globex-2026-01"}
        (one,) = do(app, enqueue=queue, **what)
        assert one.waits
        workers = Running(SimpleNamespace(sources=app.sources, dispatcher=TaskWorker(app, app.dispatcher)))
        eventually(is_drained(deployment, queue), True)
        workers.stop()
        (one,) = do(app, loaded=True, **what)
        name = shop.name("globex", "2026-01")
        assert one.words == f"{name}-000002 has replaced {name}-000001"
        assert all("length" in document for document in shop.documents("globex", "2026-01").values())
        assert shop.sizes() == FULL
    finally:
        app.close()
        shop.app.close()


def test_an_index_that_no_selected_route_fills_is_not_rebuilt(shop: Shop) -> None:
    with pytest.raises(SettingsError, match="no selected route fills an index 'others'"):
        do(shop.app, rebuild=True, index="others")
    with pytest.raises(SettingsError, match="has 0 indices"):
        do(shop.app, rebuild=True)


def test_all_indices_of_a_pattern_are_compared_with_its_declaration(shop: Shop) -> None:
    shop.fill()
    backfill(shop.app, TableFilter(), SCAN, BackfillOptions(), lambda more: None)
    app = shop.release(Described, index_templates=True)
    (declared,) = selected(app, [])
    plans = [plan(app.context, one) for one in with_indices(app.context, declared)]
    assert [one.state for one in plans] == ["pattern", *["differs"] * 4]
    assert [one.template is not None for one in plans] == [True, *[False] * 4]
    assert apply(app.context, plans[0]).done
    assert plan(app.context, declared).done
    template = f"streamdex-{shop.pattern.replace('*', 'all')}"
    found = ask("GET", f"{shop.search_url}/_index_template/{template}")["index_templates"]
    assert found[0]["index_template"]["index_patterns"] == [shop.pattern]
    ask("DELETE", f"{shop.search_url}/_index_template/{template}")
    checked = check(app.context, app.router, declared, app.tables(), 100, lambda more: None)
    assert (checked.items, checked.documents, checked.conflicts) == (24, 24, [])
    app.close()


def test_the_doctor_checks_all_indices_of_a_pattern_and_warns_near_the_limit(shop: Shop) -> None:
    shop.fill()
    backfill(shop.app, TableFilter(), SCAN, BackfillOptions(), lambda more: None)

    def findings(app: App) -> list[str]:
        patient = DoctorContext(app.context, app.router)
        return [f"{one.topic} {one.subject}" for one in indices.check(patient, shop.pattern)]

    assert findings(shop.app) == []
    near = shop.release(Described, max_indices=5)
    name = shop.name("globex", "2026-02")
    found = findings(near)
    assert f"limits index pattern {shop.pattern}" in found
    assert f"mapping index {name}-000001" in found
    near.close()


def test_the_page_searches_a_pattern_without_its_copies(shop: Shop, tmp_path: Path) -> None:
    class State:
        app = shop.app

    shop.fill()
    backfill(shop.app, TableFilter(), SCAN, BackfillOptions(), lambda more: None)
    ask("POST", f"{shop.search_url}/{shop.pattern}/_refresh")
    assert find(State(), "", [shop.pattern]).total == 24  # type: ignore[arg-type]
    name = shop.name("acme", "2026-01")
    body = {"aliases": {f"{name}--new": {}, f"{name}--also": {}}}
    ask("PUT", f"{shop.search_url}/{name}-000002", body)
    ask("PUT", f"{shop.search_url}/{name}-000002/_doc/1?refresh=true", {"text": "copy"})
    assert find(State(), "", [shop.pattern]).total == 24  # type: ignore[arg-type]
