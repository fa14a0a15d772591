"""A replay that writes nothing (`--dry-run`, `--diff`): it shows its effects, field by field."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from builders import s3_record, stream_record
from fakes import Items, Truth, records
from opensearchpy.exceptions import ConnectionError as Unreached
from opensearchpy.exceptions import TransportError

from service.commands.inspection import Difference
from service.commands.replay.rehearsal import Actions, Differences, Finding, Rehearsal
from service.commands.replay.showing import value_of, words_of
from service.context import Context
from service.errors import Halt, Reject
from service.model import Item
from service.pipeline import Delivery, Dispatcher, Outcome, Report, Sinks
from service.pipeline.rereads import Rereads
from service.retry_policy import RetryPolicy
from service.routing import BucketRoute, DeleteItem, Document, PutItem, Route, Router, TableRoute
from service.settings import Settings


class Texts(TableRoute):
    """A route that indexes every attribute as a field."""

    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "texts"

    def document(self, item: Item) -> Document | None:
        if item.get("bad"):
            raise Reject("bad")
        return None if item.get("hidden") else {name: value for name, value in item.items() if name != "id"}


class Copies(BucketRoute):
    """A route that turns objects into items."""

    bucket: ClassVar = "images-in"
    writes: ClassVar = {"table": "copies"}

    def created(self, upload: Any, context: Any) -> list[Any]:
        return [PutItem({"id": upload.key, "wrong": object()} if upload.key == "wrong" else {"id": upload.key})]

    def deleted(self, upload: Any, context: Any) -> list[Any]:
        return [DeleteItem({"id": upload.key})]


class ReadOnly:
    """A search client that supports only `mget`. Any other call raises AttributeError."""

    def __init__(self, error: Exception | None = None):
        self.documents: dict[tuple[str, str], tuple[int, Any]] = {}
        self.asked: list[int] = []
        self.broken: Any = None
        self._error = error

    def put(self, name: str, version: int, document: Any) -> None:
        self.documents["texts", name] = (version, document)

    def mget(self, body: Any) -> Any:
        self.asked.append(len(body["docs"]))
        if self._error:
            raise self._error
        return {"docs": [self._one(wanted["_index"], wanted["_id"]) for wanted in body["docs"]]}

    def _one(self, index: str, name: str) -> Any:
        place = {"_index": index, "_id": name}
        if self.broken:
            return {**place, "error": {"type": self.broken, "reason": "so it is"}}
        if (index, name) not in self.documents:
            return {**place, "found": False}
        version, document = self.documents[index, name]
        return {**place, "found": True, "_version": version, **({} if document is None else {"_source": document})}


class Rehearsed:
    """A dispatcher that writes nothing, and its findings."""

    def __init__(self, *routes: Route, search: Any = None, always: bool = False, **settings: Any):
        self.truth = Truth()
        self.search = search
        self.found: list[Finding] = []
        context = Context(Settings(retry_time=0, **settings), search=search)
        self.rehearsal = Rehearsal(Differences(context) if search else Actions(context), self.found.append)
        self.dispatcher = Dispatcher(
            Router(routes or [Texts()]),
            sinks=Sinks(documents=self.rehearsal.search, items=self.rehearsal.table, rows=self.rehearsal.rows),
            letters=self.rehearsal,
            observer=self.rehearsal,
            context=context,
            rereads=Rereads(self.truth, 1800.0, trusting=True, always=always),
            retry_policy=RetryPolicy(most=0.0),
        )

    def dispatch(self, *raws: Any) -> Report:
        return self.dispatcher.run(Delivery(records(*raws), "test"))

    def lines(self, *raws: Any) -> list[str]:
        self.dispatch(*raws)
        return [line for finding in self.found for line in words_of(finding)]


def change(name: str, event: str = "MODIFY", at: int = 0, **more: Any) -> Any:
    """Return a change that is `at` seconds later than those of builders."""
    image = {"old" if event == "REMOVE" else "new": {"id": name, **more}}
    return stream_record(event, created=1_700_000_000 + at, sequence="0", **image)


def version(at: int = 0) -> int:
    return (1_700_000_000 - 1_325_376_000 + at) << 32


# The writes (--dry-run).


def test_an_action_is_shown_with_its_place_its_version_its_route_and_its_content():
    assert Rehearsed().lines(change("a", title="Sunset"), change("b", "REMOVE"), change("c", hidden=True)) == [
        f'Index  texts/a  version {version()}  test_rehearsal:Texts  {{"title":"Sunset"}}',
        f"Delete  texts/b  version {version()}  test_rehearsal:Texts",
        f"Delete  texts/c  version {version()}  test_rehearsal:Texts",
    ]


def test_of_several_changes_of_an_item_the_newest_would_be_sent_and_the_others_are_shown_as_superseded():
    rehearsed = Rehearsed()
    first, last = rehearsed.lines(change("a", n=1), change("a", at=1, n=2))
    assert first.endswith("(superseded in its batch)")
    assert not last.endswith("(superseded in its batch)")
    assert dict(rehearsed.rehearsal.counts) == {"superseded": 1, "Index": 1}


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
        'PutItem  copies  test_rehearsal:Copies  {"id":"k"}',
        'DeleteItem  copies  test_rehearsal:Copies  {"id":"gone"}',
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
        "route": "test_rehearsal:Texts",
        "target": "texts",
        "id": "a",
        "version": version(),
        "content": {"text": "x" * 10_000, "bytes": "AA=="},
    }


def test_what_an_item_holds_cannot_break_out_of_its_line():
    lines = Rehearsed().lines(change("a\nb", text="x\ny\x1b[31m\u2028"))
    assert len(lines) == 1
    assert lines[0].isprintable()


# The changes to the index (--diff).


def different(*raws: Any, there: dict[str, tuple[int, Any]] | None = None) -> tuple[list[str], Rehearsal]:
    search = ReadOnly()
    for name, (at, document) in (there or {}).items():
        search.put(name, at, document)
    rehearsed = Rehearsed(search=search)
    return rehearsed.lines(*raws), rehearsed.rehearsal


def test_a_document_that_differs_is_shown_field_by_field():
    old = {"title": "Sun", "gone": 1, "same": [1, 2], "deep": {"a": 1, "b": 2}}
    lines, rehearsal = different(
        change("a", title="Sunset", same=[1, 2], deep={"a": 1, "b": 3}, new="x"), there={"a": (version(-1), old)}
    )
    assert lines == [
        f"changed  texts/a  version {version()}, stored {version(-1)}  test_rehearsal:Texts",
        '  ~ title: "Sun" -> "Sunset"',
        "  ~ deep.b: 2 -> 3",
        '  + new: "x"',
        "  - gone: 1",
    ]
    assert rehearsal.differs


def test_what_fields_hold_cannot_break_out_of_their_lines():
    lines, _ = different(
        change("a", **{"new\n": "x\u2028", "n": "\x1b"}), there={"a": (1, {"n": "\u2029", "old": "\x85"})}
    )
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)


def test_a_document_that_is_missing_is_shown_with_its_fields():
    lines, rehearsal = different(change("a", title="Sunset"))
    assert lines == [f"missing  texts/a  version {version()}  test_rehearsal:Texts", '  + title: "Sunset"']
    assert rehearsal.differs


def test_a_document_that_would_be_deleted_is_shown():
    lines, rehearsal = different(change("a", "REMOVE"), there={"a": (version(-1), {"title": "Sun"})})
    assert lines == [f"would be deleted  texts/a  version {version()}, stored {version(-1)}  test_rehearsal:Texts"]
    assert rehearsal.differs


@pytest.mark.parametrize("event", ["MODIFY", "REMOVE"])
def test_what_is_older_than_the_index_is_shown_and_no_difference(event):
    lines, rehearsal = different(change("a", event, n=1), there={"a": (version(1), {"n": 2})})
    assert lines == [
        f"older than what is there  texts/a  version {version()}, stored {version(1)}  test_rehearsal:Texts"
    ]
    assert not rehearsal.differs


def test_what_would_not_change_is_only_counted():
    same = {"n": 1, "x": 2.0, "bytes": "AA=="}
    lines, rehearsal = different(
        change("a", n=1, x=2, bytes=b"\0"), change("b", "REMOVE"), there={"a": (version(), same)}
    )
    assert lines == []
    assert dict(rehearsal.counts) == {"unchanged": 2}
    assert not rehearsal.differs


def test_only_the_newest_of_a_batch_is_compared():
    lines, rehearsal = different(change("a", n=1), change("a", at=1, n=2), there={"a": (version(-1), {"n": 1})})
    assert lines[1:] == ["  ~ n: 1 -> 2"]
    assert dict(rehearsal.counts) == {"changed": 1}


def test_an_index_without_versions_is_compared_whatever_its_version_is():
    class Unversioned(Texts):
        versions: ClassVar = None

    search = ReadOnly()
    search.put("a", 9, {"n": 1})
    rehearsed = Rehearsed(Unversioned(), search=search)
    rehearsed.truth.table["a"] = {"id": {"S": "a"}, "n": {"N": "2"}}
    rehearsed.dispatch(change("a", n=1))
    assert [(finding.what, list(finding.fields)) for finding in rehearsed.found] == [
        ("changed", [Difference("n", wanted=2, held=1)])
    ]


def test_an_index_that_is_not_there_yet_misses_everything():
    search = ReadOnly()
    search.broken = "index_not_found_exception"
    rehearsed = Rehearsed(search=search)
    assert rehearsed.lines(change("a", n=1))[1:] == ["  + n: 1"]


def test_an_index_that_cannot_be_read_halts():
    search = ReadOnly()
    search.broken = "index_closed_exception"
    with pytest.raises(Halt, match="cannot read index texts: so it is"):
        Rehearsed(search=search).dispatch(change("a", n=1))


def test_an_address_that_leads_to_no_search_server_halts():
    error = TransportError(404, "not_found", {"error": "no such page"})
    with pytest.raises(Halt, match="answered 404: no such page"):
        Rehearsed(search=ReadOnly(error)).dispatch(change("a", n=1))


def test_an_index_that_keeps_no_documents_cannot_be_compared():
    search = ReadOnly()
    search.put("a", 1, None)
    with pytest.raises(Halt, match="index texts does not store _source"):
        Rehearsed(search=search).dispatch(change("a", n=1))


@pytest.mark.parametrize(
    "error",
    [Unreached("N/A", "refused", OSError()), TransportError(503, "busy", {}), TransportError(429, "busy", {})],
)
def test_a_server_that_does_not_cope_is_not_taken_for_one_without_the_document(error):
    rehearsed = Rehearsed(search=ReadOnly(error), retry_for=0)
    (result,) = rehearsed.dispatch(change("a", n=1)).results
    assert (result.outcome, result.status, rehearsed.found) == (Outcome.RETRY, None, [])


def test_documents_are_asked_for_many_at_once_but_not_all():
    search = ReadOnly()
    rehearsed = Rehearsed(search=search)
    rehearsed.dispatch(*(change(str(n), n=n) for n in range(701)))
    assert search.asked == [200, 500, 1]  # the dispatcher splits the batch
    assert rehearsed.rehearsal.counts["missing"] == 701


def test_items_are_not_compared_and_that_is_told():
    rehearsed = Rehearsed(Copies(), Texts(), search=ReadOnly())
    assert rehearsed.lines(s3_record("k")) == ["not compared  copies  test_rehearsal:Copies"]
    assert not rehearsed.rehearsal.differs


def test_nothing_is_remembered_from_batch_to_batch():
    rehearsed = Rehearsed(Items(), search=ReadOnly())
    for n in range(5):
        rehearsed.dispatch(change("a", at=n, n=1), change("a", at=n, n=2))
    assert rehearsed.rehearsal.search._found == {}  # type: ignore[attr-defined]


def test_differences_are_values_for_scripts():
    search = ReadOnly()
    search.put("a", version(-1), {"gone": None, "n": 0})
    rehearsed = Rehearsed(search=search)
    rehearsed.dispatch(change("a", n=1, new=[]))
    assert value_of(rehearsed.found[0])["fields"] == {
        "n": {"old": 0, "new": 1},
        "new": {"new": []},
        "gone": {"old": None},
    }
    assert value_of(rehearsed.found[0])["there"] == version(-1)
