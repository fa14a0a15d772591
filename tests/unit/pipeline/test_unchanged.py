"""`skip_unchanged`: a change that leaves the document as it was is skipped, and everything else is written."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from builders import sqs_message, stream_record
from fakes import NOW, Bench, IndexModel, Items, Truth, records
from item_records import HOUR_AGO

from service import Delete, Retry
from service.context import Context
from service.model import Item, TableRecord
from service.model.outcomes import UNCHANGED, Outcome
from service.model.serializer import typed
from service.pipeline import Delivery, Result
from service.pipeline.rereads import PROMPT
from service.routing import Document
from service.settings import Settings


class Quiet(Items):
    """A route whose document shows `n`, and nothing for a `hidden` item. It fails for a `bad` item."""

    skip_unchanged: ClassVar = True

    def document(self, item: Item) -> Document | None:
        if item.get("bad"):
            raise ValueError("bad")
        return None if item.get("hidden") else {"n": item.get("n")}


def change(old: Any, new: Any, event: str = "MODIFY", number: int = 1, name: str = "a", **rest: Any) -> Any:
    images = {image: {"id": name, **of} for image, of in (("old", old), ("new", new)) if of is not None}
    return stream_record(event, sequence=f"{number}{0:020d}", keys={"id": name}, **images, **rest)


TOUCHED = {"n": 1, "note": "old"}, {"n": 1, "note": "new"}
"""Two images with the same document."""


def written(raw: Any, route: Items | None = None, **options: Any) -> int:
    """Return the number of writes for a record."""
    bench = Bench(route or Quiet(), **options)
    bench.dispatch(raw)
    return len(bench.index.sent)


def test_an_unchanged_document_is_not_written_and_the_outcome_says_so():
    bench = Bench(Quiet())
    (result,) = bench.dispatch(change(*TOUCHED)).results
    assert result is UNCHANGED
    assert (result.outcome, result.reason.partition(":")[0]) == (Outcome.SKIPPED, "unchanged")
    assert bench.index.sent == []


@pytest.mark.parametrize("old", [{"n": 2}, {}, {"n": 1.5}, {"n": True}, {"n": "1"}, {"hidden": 1}, {"bad": 1}])
def test_another_document_is_written(old):
    assert written(change(old, {"n": 1})) == 1


def test_values_that_python_alone_takes_for_equal_are_written():
    class Typed(Quiet):
        def document(self, item: Item) -> Document:
            return {"n": 1.0 if item["kind"] == "float" else True if item["kind"] == "flag" else 1}

    for kind in ("float", "flag"):
        assert written(change({"kind": kind}, {"kind": "number"}), Typed()) == 1


def test_what_is_not_searchable_before_and_after_is_not_deleted_again():
    assert written(change({"hidden": 1, "n": 1}, {"hidden": 1, "n": 2})) == 0
    bench = Bench(Quiet())
    bench.dispatch(change({"n": 1}, {"hidden": 1, "n": 1}))
    assert [type(write.action) for write in bench.index.sent] == [Delete]


def test_a_document_that_is_no_json_is_a_dead_letter_as_without_the_declaration():
    class Endless(Quiet):
        def document(self, item: Item) -> Document:
            return {"n": float("nan")}

    assert written(change(*TOUCHED), Endless()) == 1


def test_without_the_declaration_every_change_is_written():
    assert written(change(*TOUCHED), Items()) == 1


@pytest.mark.parametrize(
    "raw",
    [
        change(None, TOUCHED[1]),
        change(TOUCHED[0], None),
        change(*TOUCHED, event="INSERT"),
        change(TOUCHED[0], None, event="REMOVE"),
    ],
    ids=["no old image", "no new image", "INSERT", "REMOVE"],
)
def test_a_record_without_two_images_of_one_item_is_written(raw):
    assert written(raw, truth=Truth({"a": typed({"id": "a", **TOUCHED[1]})})) == 1


HERE = {"a": typed({"id": "a", **TOUCHED[1]})}


@pytest.mark.parametrize(
    ("raw", "options"),
    [
        (change(*TOUCHED), {"always": True}),
        (sqs_message(change(*TOUCHED, created=HOUR_AGO)), {}),
        (
            sqs_message(
                stream_record(
                    "MODIFY", sequence="17", **dict(zip(("old", "new"), TOUCHED, strict=True)), keys={"id": "a"}
                )
            ),
            {},
        ),
        (change(*TOUCHED, created=NOW + 3600), {}),
    ],
    ids=["redrive", "hint_after", "unranked", "no usable time"],
)
def test_a_record_whose_item_is_read_again_is_written(raw, options):
    bench = Bench(Quiet(), truth=Truth(HERE), **options)
    bench.dispatch(raw)
    assert bench.documents == {"a": {"n": 1}}
    assert bench.truth.reads


def test_a_young_record_of_a_queue_is_skipped():
    assert written(sqs_message(change(*TOUCHED, created=NOW - PROMPT - 1))) == 0


def test_a_recording_is_skipped_as_it_was_recorded():
    assert written(change(*TOUCHED), trusting=True) == 0


class Wanted(Quiet):
    """A route for active items."""

    def wants(self, record: TableRecord) -> bool:
        image = record.old if record.event == "REMOVE" else record.new
        return image is not None and bool(image.get("active"))


class Created(Quiet):
    """A route that takes the creation of active items, and every change."""

    def wants(self, record: TableRecord) -> bool:
        return record.event != "INSERT" or "active" in (record.new or {})


class Compared(Quiet):
    """A route that takes changes of the note alone."""

    def wants(self, record: TableRecord) -> bool:
        return record.old["note"] != record.new["note"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("route", "was_active", "writes"),
    [(Wanted(), 0, 1), (Wanted(), 1, 0), (Created(), None, 1), (Created(), 1, 0), (Compared(), 1, 1)],
)
def test_an_item_that_begins_to_be_wanted_is_written(route, was_active, writes):
    old = {**TOUCHED[0], **({} if was_active is None else {"active": was_active})}
    assert written(change(old, {**TOUCHED[1], "active": 1}), route) == writes


def test_a_route_may_change_the_items_that_it_gets():
    class Careless(Quiet):
        def document(self, item: Item) -> Document:
            item["tags"].append("seen")
            return {"n": len(item["tags"])}

    assert written(change({"tags": ["a"], "x": 1}, {"tags": ["a"], "x": 2}), Careless()) == 0
    assert written(change({"tags": ["a"]}, {"tags": ["a", "b"]}), Careless()) == 1


def test_what_was_rejected_is_not_rejected_again_and_its_redrive_writes_the_current_item():
    rejecting = IndexModel({"a": [Result(Outcome.REJECTED, "the mapping has another type", 400)]})
    bench = Bench(Quiet(), index=rejecting)
    changed, touched = change({"n": 0}, {"n": 1}), change(*TOUCHED, number=2)
    assert bench.outcomes(changed, touched) == ["REJECTED", "SKIPPED"]
    (letter,) = bench.letters.letters
    redrive = Bench(Quiet(), index=rejecting, truth=Truth(HERE), always=True)
    redrive.dispatcher.run(Delivery([letter.record]))
    assert redrive.documents == {"a": {"n": 1}}


def test_a_write_that_is_retried_is_written_although_an_unchanged_record_behind_it_is_done():
    bench = Bench(Quiet(), forced={"a": [Result(Outcome.RETRY, "busy")]})
    changed, touched = change({"n": 0}, {"n": 1}), change(*TOUCHED, number=2)
    assert bench.outcomes(changed, touched) == ["RETRY", "SKIPPED"]
    assert bench.outcomes(touched) == ["SKIPPED"]  # another consumer of the queue
    assert bench.outcomes(changed) == ["APPLIED"]
    assert bench.documents == {"a": {"n": 1}}


def test_behind_a_record_whose_route_asks_for_a_retry_nothing_is_lost():
    class Slow(Quiet):
        slow = True

        def document(self, item: Item) -> Document | None:
            if item["n"] == 1 and Slow.slow:
                raise Retry("later")
            return super().document(item)

    bench = Bench(Slow())
    batch = [change({"n": 0}, {"n": 1}), change(*TOUCHED, number=2), change({"n": 1}, {"n": 2}, number=3)]
    assert bench.outcomes(*batch) == ["RETRY", "RETRY", "BLOCKED"]
    Slow.slow = False
    assert bench.outcomes(*batch) == ["STALE", "SKIPPED", "APPLIED"]
    assert bench.documents == {"a": {"n": 2}}


def test_of_a_batch_the_newest_document_is_written_at_the_version_of_its_record():
    bench = Bench(Quiet())
    batch = [
        change({"n": 0}, {"n": 1}),
        change({"n": 1}, {"n": 2}, number=2),
        change({"n": 2}, {"n": 2}, number=3),
    ]
    assert bench.outcomes(*batch) == ["STALE", "APPLIED", "SKIPPED"]
    (write,) = bench.index.sent
    assert write.version == records(batch[1])[0].version  # type: ignore[union-attr]


def test_parts_of_unchanged_records_do_not_count_as_requests_without_an_answer():
    bench = Bench(Quiet(), context=Context(Settings(bulk_actions=10)))
    touched = [change(*TOUCHED, name=f"k{number}", number=number + 1) for number in range(60)]
    last = change({"n": 0}, {"n": 1}, name="last", number=99)
    assert bench.outcomes(*touched, last) == ["SKIPPED"] * 60 + ["APPLIED"]


def test_a_server_that_is_down_is_not_asked_for_every_part_that_has_an_unchanged_record():
    names = [f"k{number}" for number in range(60)]
    bench = Bench(
        Quiet(),
        context=Context(Settings(bulk_actions=10)),
        forced={name: [Result(Outcome.RETRY, "no answer")] for name in names},
    )
    raws = [
        change(*(TOUCHED if number % 5 == 0 else ({"n": 0}, {"n": 1})), name=name, number=number + 1)
        for number, name in enumerate(names)
    ]
    report = bench.dispatch(*raws)
    assert [result.reason for result in report.results].count("no answer") == len(bench.index.sent) < 48
