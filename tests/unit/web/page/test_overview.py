"""The overview: the current flow from sources through routes to targets."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, ClassVar

from builders import s3_record, stream_record
from fakes import Items
from page_bench import words

from service.model import Item, ObjectRecord
from service.model.outcomes import Outcome
from service.pipeline import Delivery, Lag, Result
from service.routing import BucketRoute, Delete, DeleteItem, Index, TableRoute, UpdateItem


class Others(TableRoute):
    """A route that reads the same table and fills another index."""

    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "others"

    def document(self, item: Item) -> Any:
        return {}


class Uploads(BucketRoute):
    bucket: ClassVar = "images-in"
    index: ClassVar = "uploads"

    def created(self, upload: ObjectRecord, context: Any) -> Any:
        return [Index({"size": upload.size})]

    def deleted(self, upload: ObjectRecord, context: Any) -> Any:
        return [Delete()]


class Sizes(BucketRoute):
    """A route that writes to a table."""

    bucket: ClassVar = "images-in"
    writes: ClassVar = {"table": "sizes"}

    def created(self, upload: ObjectRecord, context: Any) -> Any:
        return [UpdateItem({"id": upload.key, "size": upload.size})]

    def deleted(self, upload: ObjectRecord, context: Any) -> Any:
        return [DeleteItem({"id": upload.key})]


def flow_of(html: str) -> str:
    return words(html.partition('id="flow-title"')[2].partition("</section>")[0])


def test_the_flow_is_drawn_before_the_first_record(make):
    page = make(Items(), Others())
    flow = flow_of(page.get("/"))
    assert re.search(r"table images in sync .*0/s fakes:Items .*index items .*0/s \w+:Others .*index others", flow)


def test_records_are_counted_by_route_and_outcome(make):
    page = make()
    page.bench.index.forced = {"b": [Result(Outcome.REJECTED, "no", 400)]}
    page.dispatch(stream_record(new={"id": "a"}), stream_record(new={"id": "b"}, sequence="2"))
    html = page.get("/")
    assert "✓ 1 applied" in flow_of(html)
    assert "✕ 1 rejected" in flow_of(html)
    assert "Records since the start 2" in words(html)
    assert "Dead letters since the start 1" in words(html)


def test_records_without_a_route_are_shown_below_their_source(page):
    page.dispatch(stream_record(new={"id": "a"}, table="strangers"))
    assert "no route" in flow_of(page.get("/"))
    assert "1 skipped" in flow_of(page.get("/"))


def test_a_queue_shows_the_routes_of_its_records_and_all_bucket_routes_before_the_first(make):
    page = make(Items(), Uploads(), source="queue uploads")
    assert "Uploads" in flow_of(page.get("/"))
    assert "Items" not in flow_of(page.get("/"))
    page.dispatch(stream_record(new={"id": "a"}))
    assert "Items" in flow_of(page.get("/"))
    assert "Uploads" not in flow_of(page.get("/"))
    page.dispatch(s3_record("a.jpg"))
    assert "Uploads" in flow_of(page.get("/"))


def test_a_table_that_a_route_writes_to_is_a_target(make):
    page = make(Sizes(), source="queue uploads")
    assert "table sizes" in flow_of(page.get("/"))


def test_the_lag_of_a_source_is_shown_and_when_it_will_lose_records(page):
    page.sources[0].lag = lambda: Lag(42.0, 80_000.0)
    assert "lag 42 s" in flow_of(page.get("/"))
    assert "Highest lag 42 s" in words(page.get("/"))
    page.sources[0].lag = lambda: Lag(80_000.0, 6_400.0)
    assert "lag 22 h 13 min data loss in 1 h 46 min" in flow_of(page.get("/"))


def test_a_problem_that_the_operator_has_to_repair_is_shown_with_its_reason(page):
    assert "needs attention" not in page.get("/")
    page.halted = "the index items does not exist: create it"
    assert "table images needs attention: the index items does not exist" in words(page.get("/"))


def test_redriven_dead_letters_are_a_source_of_their_own(page):
    page.bench.dispatcher.run(Delivery([], "dead letters"))
    assert "redriven" not in page.get("/")
    page.sources.append(SimpleNamespace(name="dead letters", trouble="", lag=Lag))
    page.sources.reverse()
    page.dispatch(stream_record(new={"id": "a"}))
    page.sources = page.sources[1:]
    assert "redriven dead letters" in flow_of(page.get("/"))


def test_the_latest_records_are_there_with_links_to_each(page):
    page.dispatch(*(stream_record(new={"id": f"key-{n}"}, sequence=str(n)) for n in range(1, 12)))
    html = page.get("/")
    found = re.findall(r'href="(/records/[^"]+)"><bdi>(key-\d+)', html)
    assert [key for _, key in found] == [f"key-{n}" for n in range(11, 3, -1)]
    assert "key-11" in page.get(found[0][0])


def test_every_page_that_is_linked_is_there(make):
    page = make(page_redrive=True)
    page.bench.index.forced = {"b": [Result(Outcome.REJECTED, "no", 400)]}
    page.dispatch(stream_record(new={"id": "a"}), stream_record(new={"id": "b"}, sequence="2"))
    seen, rest = set(), ["/"]
    while rest:
        path = rest.pop().replace("&amp;", "&")
        if path not in seen and not path.startswith("/static"):
            seen.add(path)
            rest += page.links(path)
    assert len(seen) > 8
    assert any(path.endswith("/redrive") for path in seen)


def test_a_missing_page_links_to_the_overview(page):
    assert "Go to the overview" in page.get("/nowhere", 404)


def test_an_internal_error_is_shown_without_its_values(page, monkeypatch, caplog):
    def broken() -> Any:
        raise ValueError("value of an item")

    monkeypatch.setattr(page.state.recent, "records", broken)
    assert "value of an item" not in page.get("/records", 500)
