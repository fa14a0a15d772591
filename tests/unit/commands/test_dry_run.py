"""Dry runs of a replay (`--dry-run`): they show each write with its target, version and content."""

from __future__ import annotations

from typing import ClassVar

import pytest
from builders import s3_record, stream_record
from rehearsals import Copies, ReadOnly, Rehearsed, Texts, change, version
from shop_scene import Customers, Orders

from service import Reindex
from service.commands.replay.showing import value_of
from service.model import Item
from service.pipeline import Outcome
from service.routing import Document, TableRoute
from service.tables_in_memory import TablesInMemory


def test_an_action_is_shown_with_its_place_its_version_its_route_and_its_content():
    assert Rehearsed().lines(change("a", title="Sunset"), change("b", "REMOVE"), change("c", hidden=True)) == [
        f'Index  texts/a  version {version()}  rehearsals:Texts  {{"title":"Sunset"}}',
        f"Delete  texts/b  version {version()}  rehearsals:Texts",
        f"Delete  texts/c  version {version()}  rehearsals:Texts",
    ]


def test_of_several_changes_of_an_item_the_newest_would_be_sent_and_the_others_are_shown_as_superseded():
    rehearsed = Rehearsed()
    first, last = rehearsed.lines(change("a", n=1), change("a", at=1, n=2))
    assert first.endswith("(superseded in its batch)")
    assert not last.endswith("(superseded in its batch)")
    assert dict(rehearsed.rehearsal.counts) == {"superseded": 1, "Index": 1}


@pytest.mark.parametrize("search", [None, ReadOnly()])
def test_what_would_be_skipped_as_unchanged_is_no_write(search):
    class Titles(Texts):
        skip_unchanged: ClassVar = True

        def document(self, item: Item) -> Document:
            return {"title": item["title"]}

    images = {"old": {"id": "a", "title": "x", "n": 1}, "new": {"id": "a", "title": "x", "n": 2}}
    rehearsed = Rehearsed(Titles(), search=search)
    report = rehearsed.dispatch(stream_record("MODIFY", **images))
    assert [result.outcome for result in report.results] == [Outcome.SKIPPED]
    assert rehearsed.found == []
    assert not rehearsed.rehearsal.counts


def test_each_document_of_an_item_is_shown_and_those_that_would_be_deleted():
    class Parts(Texts):
        document = TableRoute.document

        def documents_of(self, item: Item) -> dict[str, Document]:
            return {name: {"part": name} for name in item["parts"]}

    images = {"old": {"id": "a", "parts": ["x", "y"]}, "new": {"id": "a", "parts": ["x"]}}
    first, last = Rehearsed(Parts()).lines(stream_record("MODIFY", **images))
    assert first.startswith("Index  texts/a~/x  version ")
    assert last.startswith("Delete  texts/a~/y  version ")


def test_what_would_be_rejected_is_shown_with_the_reason_and_not_kept():
    rehearsed = Rehearsed()
    report = rehearsed.dispatch(
        change("a", bad=True), {"eventSource": "aws:kinesis"}, change("b", x=1), stream_record(new={"id": 7})
    )
    assert [result.outcome.name for result in report.results] == ["REJECTED", "REJECTED", "APPLIED", "APPLIED"]
    reasons = [finding.reason for finding in rehearsed.found if finding.what == "rejected"]
    assert ["bad" in reasons[0], "unknown payload" in reasons[1]] == [True, True]
    assert rehearsed.rehearsal.counts["rejected"] == 2


@pytest.mark.parametrize("search", [None, ReadOnly()])
def test_what_the_sink_would_refuse_is_rejected_with_the_document_s_id(search):
    class Infinite(Texts):
        def document(self, item: Item) -> Document:
            return {"n": float("inf"), "text": item.get("text")}

    rehearsed = Rehearsed(Infinite(), search=search)
    (line,) = rehearsed.lines(change("a"))
    assert "rejected  texts/a" in line
    assert "not a finite number" in line


def test_an_item_that_would_be_written_is_shown_and_one_that_cannot_be_stored_is_rejected():
    rehearsed = Rehearsed(Copies())
    lines = rehearsed.lines(s3_record("k"), s3_record("gone", "ObjectRemoved:Delete"), s3_record("wrong"))
    assert lines[:2] == [
        'PutItem  copies  rehearsals:Copies  {"id":"k"}',
        'DeleteItem  copies  rehearsals:Copies  {"id":"gone"}',
    ]
    assert lines[2].startswith("rejected  copies")


def test_records_are_taken_at_their_word_and_nothing_is_read_for_them():
    rehearsed = Rehearsed()
    rehearsed.dispatch(change("a"), change("b", "REMOVE"))
    assert rehearsed.truth.reads == []


def test_with_hints_each_item_is_read_once():
    rehearsed = Rehearsed(always=True)
    rehearsed.dispatch(change("a", n=1), change("b", n=1))
    assert rehearsed.truth.reads == [["a", "b"]]
    assert [finding.what for finding in rehearsed.found] == ["Delete", "Delete"]  # the re-read finds no items


def test_what_may_succeed_later_is_left_to_the_replay_to_tell():
    class Slow(Texts):
        def document(self, item: Item) -> Document:
            raise TimeoutError("slow")

    rehearsed = Rehearsed(Slow())
    (result,) = rehearsed.dispatch(change("a")).results
    assert (result.outcome, rehearsed.found) == (Outcome.RETRY, [])


def test_a_long_document_is_shortened_for_people_and_whole_for_scripts():
    rehearsed = Rehearsed()
    (line,) = rehearsed.lines(change("a", text="x" * 10_000, bytes=b"\0"))
    assert len(line) < 300
    assert line.endswith("…")
    assert value_of(rehearsed.found[0]) == {
        "what": "Index",
        "route": "rehearsals:Texts",
        "target": "texts",
        "id": "a",
        "version": version(),
        "content": {"text": "x" * 10_000, "bytes": "AA=="},
    }


def test_what_an_item_holds_cannot_break_out_of_its_line():
    lines = Rehearsed().lines(change("a\nb", text="x\ny\x1b[31m\u2028"))
    assert len(lines) == 1
    assert lines[0].isprintable()


SHOP = {
    "customers": [{"id": "a", "name": "Ada"}],
    "orders": [{"PK": name, "SK": "HEAD", "customer": "a"} for name in ("1", "2", "3")],
}
LINE = stream_record(table="orders", keys={"PK": "3", "SK": "LINE1"}, new={"PK": "3", "SK": "LINE1"})
CUSTOMER = stream_record("MODIFY", table="customers", keys={"id": "a"}, new={"id": "a"})


def test_documents_of_several_items_and_those_that_are_made_again_are_shown():
    rehearsed = Rehearsed(Orders(), Customers(), items=TablesInMemory(SHOP), index_lag=0.0)
    report = rehearsed.dispatch(CUSTOMER, LINE)
    assert [result.outcome for result in report.results] == [Outcome.APPLIED] * 2
    assert sorted((one.what, one.route, one.target, one.id, one.content) for one in rehearsed.found) == [
        ("Index", "shop_scene:Orders", "orders", name, {"customer": "Ada", "lines": []})
        for name in ("1", "2", "3")
    ]


def test_documents_that_are_made_again_are_compared_with_the_index():
    search = ReadOnly()
    search.documents["orders", "1"] = (1, {"customer": "Ada", "lines": []})
    search.documents["orders", "2"] = (1, {"customer": "Eve", "lines": []})
    rehearsed = Rehearsed(Orders(), Customers(), items=TablesInMemory(SHOP), search=search, index_lag=0.0)
    rehearsed.dispatch(CUSTOMER)
    assert sorted((one.id, one.what) for one in rehearsed.found) == [("2", "changed"), ("3", "missing")]
    assert dict(rehearsed.rehearsal.counts) == {"unchanged": 1, "changed": 1, "missing": 1}


def test_a_document_that_cannot_be_made_again_is_shown_as_rejected():
    class Broken(Orders):
        def documents(self, collections, context):
            raise ValueError("broken")

    class Renamed(Customers):
        reindexes: ClassVar = (Broken,)

        def modify(self, record, context):
            return [Reindex(Broken, [{"PK": "1"}])]

    rehearsed = Rehearsed(Broken(), Renamed(), items=TablesInMemory(SHOP))
    rehearsed.dispatch(CUSTOMER)
    (found,) = rehearsed.found
    assert (found.what, found.target) == ("rejected", "orders")
    assert found.route.endswith("Broken")
    assert "broken" in found.reason
