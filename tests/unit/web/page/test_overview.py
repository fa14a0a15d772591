"""The first page draws the line from sources through routes to where it goes, as it is now."""

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
from service.routing import BucketRoute, Delete, Index, TableRoute


class Others(TableRoute):
    """Further items of the same table, in another index."""

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


def line_of(html: str) -> str:
    return words(html.partition('id="line-title"')[2].partition("</section>")[0])


def test_the_line_is_there_before_anything_came(make):
    page = make(Items(), Others())
    line = line_of(page.get("/"))
    assert re.search(r"table images in step .*0/s fakes:Items .*index items .*0/s \w+:Others .*index others", line)


def test_what_came_is_counted_by_route_and_outcome(make):
    page = make()
    page.bench.index.forced = {"b": [Result(Outcome.REJECTED, "no", 400)]}
    page.dispatch(stream_record(new={"id": "a"}), stream_record(new={"id": "b"}, sequence="2"))
    html = page.get("/")
    assert "✓ 1 applied" in line_of(html)
    assert "✕ 1 rejected" in line_of(html)
    assert "Records since the start 2" in words(html)
    assert "Dead letters since the start 1" in words(html)


def test_a_record_without_a_route_is_a_branch_of_its_source(page):
    page.dispatch(stream_record(new={"id": "a"}, table="strangers"))
    assert "no route" in line_of(page.get("/"))
    assert "1 skipped" in line_of(page.get("/"))


def test_a_queue_feeds_what_it_fed_and_before_that_whatever_it_may(make):
    page = make(Items(), Uploads(), source="queue uploads")
    assert "Uploads" in line_of(page.get("/"))
    assert "Items" not in line_of(page.get("/"))
    page.dispatch(stream_record(new={"id": "a"}))
    assert "Items" in line_of(page.get("/"))
    assert "Uploads" not in line_of(page.get("/"))
    page.dispatch(s3_record("a.jpg"))
    assert "Uploads" in line_of(page.get("/"))


def test_how_far_a_source_is_behind_is_told_and_when_it_will_lose_records(page):
    page.sources[0].lag = lambda: Lag(42.0, 80_000.0)
    assert "42 s behind" in line_of(page.get("/"))
    assert "Furthest behind 42 s" in words(page.get("/"))
    page.sources[0].lag = lambda: Lag(80_000.0, 6_400.0)
    assert "22 h 13 min behind lost in 1 h 46 min" in line_of(page.get("/"))


def test_what_somebody_has_to_mend_is_told_in_words(page):
    assert "waits for somebody" not in page.get("/")
    page.halted = "the index items does not exist: create it"
    assert "table images waits for somebody: the index items does not exist" in words(page.get("/"))


def test_what_was_delivered_again_is_a_source_of_its_own(page):
    page.bench.dispatcher.run(Delivery([], "dead letters"))
    assert "delivered again" not in page.get("/")
    page.sources.append(SimpleNamespace(name="dead letters", trouble="", lag=Lag))
    page.sources.reverse()
    page.dispatch(stream_record(new={"id": "a"}))
    page.sources = page.sources[1:]
    assert "delivered again dead letters" in line_of(page.get("/"))


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


def test_what_is_not_there_is_told_with_a_way_back(page):
    assert "To the overview" in page.get("/nowhere", 404)


def test_an_error_of_ours_is_told_without_what_it_held(page, monkeypatch, caplog):
    def broken() -> Any:
        raise ValueError("value of an item")

    monkeypatch.setattr(page.state.recent, "records", broken)
    assert "value of an item" not in page.get("/records", 500)
