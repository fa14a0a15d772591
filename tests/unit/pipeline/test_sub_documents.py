"""Sub-documents: what a record writes and deletes, its dead letters, and the search for what it has to delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from builders import sqs_message, stream_record
from fakes import Bench, Items, Truth, records
from item_records import HOUR_AGO

from service.model import Item
from service.model.outcomes import UNCHANGED, Outcome
from service.model.serializer import typed
from service.pipeline import Delivery, Result
from service.routing import Document, Router, TableRoute


class Chunks(Items):
    """A route with a document for each entry of an item's `parts`."""

    document = TableRoute.document

    def documents_of(self, item: Item) -> Mapping[str, Document]:
        if item.get("bad"):
            raise ValueError("bad")
        return {name: {"n": n} for name, n in item.get("parts", {}).items()}


def change(event: str, number: int = 1, name: str = "a", **images: Any) -> Any:
    whole = {image: {"id": name, **of} for image, of in images.items() if image in ("old", "new")}
    rest = {key: value for key, value in images.items() if key not in whole}
    return stream_record(event, sequence=f"{number}{0:020d}", keys={"id": name}, **whole, **rest)


def of(**parts: int) -> dict[str, Any]:
    return {"parts": parts}


def numbers(bench: Bench) -> dict[str, int]:
    return {name: document["n"] for name, document in bench.documents.items()}


def test_each_document_has_the_id_of_its_item_its_sub_id_and_its_parent():
    bench = Bench(Chunks())
    assert bench.outcomes(change("INSERT", new=of(x=1, y=2))) == ["APPLIED"]
    assert bench.documents == {
        "a~/x": {"n": 1, "streamdex_parent": "a"},
        "a~/y": {"n": 2, "streamdex_parent": "a"},
    }


def test_what_the_old_image_names_and_the_new_one_does_not_is_deleted_at_the_version_of_the_record():
    bench = Bench(Chunks())
    bench.dispatch(change("INSERT", new=of(x=1, y=2)))
    changed = change("MODIFY", 2, old=of(x=1, y=2), new=of(y=3, z=4))
    assert bench.outcomes(changed) == ["APPLIED"]
    assert numbers(bench) == {"a~/y": 3, "a~/z": 4}
    (record,) = records(changed)
    assert set(bench.index.versions.values()) == {record.version}  # type: ignore[union-attr]
    assert bench.outcomes(change("REMOVE", 3, old=of(y=3, z=4))) == ["APPLIED"]
    assert bench.documents == {}
    assert bench.truth.searches == bench.truth.reads == []


def test_an_item_without_documents_writes_nothing():
    bench = Bench(Chunks())
    assert bench.outcomes(change("INSERT", new=of())) == ["SKIPPED"]


def test_of_a_batch_each_document_is_written_once_as_its_newest_record_says():
    bench = Bench(Chunks())
    batch = [
        change("INSERT", new=of(x=1, y=1)),
        change("MODIFY", 2, old=of(x=1, y=1), new=of(x=2)),
        change("MODIFY", 3, old=of(x=2), new=of(x=2, z=3)),
    ]
    assert bench.outcomes(*batch) == ["STALE", "APPLIED", "APPLIED"]
    assert len(bench.index.sent) == 3
    assert numbers(bench) == {"a~/x": 2, "a~/z": 3}


def test_a_document_that_the_index_refuses_is_a_dead_letter_and_the_others_are_written():
    bench = Bench(Chunks(), forced={"a~/x": [Result(Outcome.REJECTED, "another type", 400)]})
    assert bench.outcomes(change("INSERT", new=of(x=1, y=2))) == ["REJECTED"]
    assert numbers(bench) == {"a~/y": 2}
    (letter,) = bench.letters.letters
    assert letter.result.reason == "another type"
    redrive = Bench(Chunks(), index=bench.index, truth=truth(x=1, z=3), always=True)
    redrive.dispatcher.run(Delivery([letter.record]))
    assert numbers(redrive) == {"a~/x": 1, "a~/z": 3}


def truth(**parts: int) -> Truth:
    return Truth({"a": typed({"id": "a", "parts": parts})})


class Quiet(Chunks):
    skip_unchanged: ClassVar = True


def test_an_unchanged_document_is_not_written_again_and_the_others_are():
    bench = Bench(Quiet())
    bench.dispatch(change("INSERT", new=of(x=1, y=1, z=1)))
    assert bench.outcomes(change("MODIFY", 2, old=of(x=1, y=1, z=1), new=of(x=1, y=2))) == ["APPLIED"]
    assert [(write.id, write.kind) for write in bench.index.sent[3:]] == [("a~/y", "Index"), ("a~/z", "Delete")]
    raw = change("MODIFY", 3, old={**of(x=1, y=2), "seen": 1}, new={**of(x=1, y=2), "seen": 2})
    (result,) = bench.dispatch(raw).results
    assert result is UNCHANGED
    assert len(bench.index.sent) == 5


def test_a_re_read_writes_unchanged_documents_too():
    bench = Bench(Quiet(), truth=truth(x=1), always=True)
    assert bench.outcomes(change("MODIFY", 2, old=of(x=1), new=of(x=1))) == ["APPLIED"]
    assert numbers(bench) == {"a~/x": 1}


class Answering(Chunks):
    """A route with a given answer."""

    answer: ClassVar[Any] = None

    def documents_of(self, item: Item) -> Any:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ([{"n": 1}], "returned list: return a mapping of sub-ids"),
        ({"": {"n": 1}}, "a sub-id that is empty or no text"),
        ({1: {"n": 1}}, "a sub-id that is empty or no text"),
        ({"x": None}, "a document of type NoneType"),
        ({"x": {"streamdex_parent": "b"}}, "the field streamdex_parent, which is reserved"),
        ({"\ud800": {"n": 1}}, "not valid Unicode"),
    ],
)
def test_an_answer_that_cannot_be_used_is_a_dead_letter_and_nothing_is_written(monkeypatch, answer, reason):
    monkeypatch.setattr(Answering, "answer", answer)
    bench = Bench(Answering())
    assert bench.outcomes(change("INSERT", new={})) == ["REJECTED"]
    assert reason in bench.letters.letters[0].result.reason
    assert bench.index.sent == []


def test_a_record_with_another_key_is_a_dead_letter():
    bench = Bench(Chunks())
    assert bench.outcomes(stream_record("INSERT", keys={"other": "a"}, new={"other": "a"})) == ["REJECTED"]


def test_a_re_read_writes_the_current_item_and_deletes_what_any_image_named():
    bench = Bench(Chunks(), truth=truth(z=9))
    bench.dispatch(change("INSERT", new=of(x=1, y=2)))
    late = change("MODIFY", 2, old=of(x=1), new=of(y=2), created=HOUR_AGO + 3600)
    redrive = Bench(Chunks(), index=bench.index, truth=bench.truth, always=True)
    redrive.dispatch(sqs_message(late))
    assert numbers(redrive) == {"a~/z": 9}
    assert redrive.truth.searches == []


@pytest.mark.parametrize(
    "raw",
    [change("MODIFY", 2, new=of(y=2)), change("MODIFY", 2, old=of(x=1)), change("MODIFY", 2)],
    ids=["no old image", "no new image", "neither"],
)
def test_a_record_that_lacks_an_image_writes_the_current_item_and_deletes_what_the_index_has(raw):
    bench = Bench(Chunks(), truth=truth(y=5))
    bench.truth.index = bench.index
    bench.dispatch(change("INSERT", new=of(x=1, y=1)), change("INSERT", new=of(x=7), name="b"))
    assert bench.outcomes(raw) == ["APPLIED"]
    assert numbers(bench) == {"a~/y": 5, "b~/x": 7}
    assert bench.truth.searches == ([[("items", "a")]] if "OldImage" not in raw["dynamodb"] else [])


def test_a_removal_without_the_old_image_deletes_what_the_index_has():
    bench = Bench(Chunks(), truth=Truth())
    bench.truth.index = bench.index
    bench.dispatch(change("INSERT", new=of(x=1, y=1)))
    assert bench.outcomes(change("REMOVE", 2)) == ["APPLIED"]
    assert bench.documents == {}


def test_what_other_records_of_the_batch_write_is_found_although_a_search_does_not_see_it_yet():
    bench = Bench(Chunks(), truth=truth(y=1))
    bench.truth.index = bench.index
    bench.dispatch(change("INSERT", new=of(x=1, y=1)), change("MODIFY", 2, new=of(y=1)))
    assert numbers(bench) == {"a~/y": 1}


def test_if_the_old_documents_cannot_be_made_the_index_is_searched():
    bench = Bench(Chunks(), truth=truth(y=1))
    bench.truth.index = bench.index
    bench.dispatch(change("INSERT", new=of(x=1, y=1)))
    assert bench.outcomes(change("MODIFY", 2, old={"bad": 1}, new=of(y=1))) == ["APPLIED"]
    assert numbers(bench) == {"a~/y": 1}


def test_a_key_without_an_index_harms_no_other_record():
    class Placed(Chunks):
        index: ClassVar = "items-*"

        def index_of(self, keys: Mapping[str, Any]) -> str:
            return f"items-{keys['id']}"

    bench = Bench(Placed(), truth=truth(y=1))
    bench.truth.index = bench.index
    bench.dispatch(change("INSERT", new=of(x=1, y=1)))
    assert bench.outcomes(change("MODIFY", 2, name="A", new=of()), change("MODIFY", 2, new=of())) == [
        "REJECTED",
        "APPLIED",
    ]
    assert numbers(bench) == {"a~/y": 1}


def test_a_search_that_fails_is_tried_again_and_nothing_is_written_before():
    bench = Bench(Chunks(), truth=truth(y=1))
    bench.truth.index = bench.index
    bench.dispatch(change("INSERT", new=of(x=1)))
    failing = Bench(Chunks(), truth=Unsearched(), index=bench.index)
    assert failing.outcomes(change("MODIFY", 2, new=of(y=1))) == ["RETRY"]
    assert numbers(failing) == {"a~/x": 1}


class Unsearched(Truth):
    """A current state whose search fails."""

    def __init__(self) -> None:
        super().__init__({"a": typed({"id": "a", "parts": {"y": 1}})})

    def sub_documents(self, places: Any) -> Any:
        raise ConnectionError("refused")


def test_routes_without_sub_documents_search_nothing():
    bench = Bench(Items(), truth=Truth())
    bench.dispatch(change("REMOVE"), sqs_message(change("MODIFY", 2)))
    assert bench.truth.searches == []


def test_a_backfill_writes_every_document_and_deletes_nothing():
    bench = Bench(Chunks(), truth=Truth())
    bench.dispatch(change("INSERT", new=of(x=1)))
    assert bench.truth.searches == []
    assert [write.id for write in bench.index.sent] == ["a~/x"]


def test_the_index_of_a_route_with_sub_documents_declares_the_field_of_the_parent():
    (declared,) = Router([Chunks()]).indices.values()
    assert declared.mapping == {"properties": {"streamdex_parent": {"type": "keyword"}}}
    (other,) = Router([Items()]).indices.values()
    assert other.mapping == {}


def test_a_table_that_a_pattern_names_is_part_of_the_ids():
    class Tenants(Chunks):
        table: ClassVar = "tenant-*"

    bench = Bench(Tenants())
    bench.dispatch(change("INSERT", new=of(x=1), table="tenant-1"))
    assert bench.documents == {"tenant-1|a~/x": {"n": 1, "streamdex_parent": "tenant-1|a"}}
    (bound,) = Router([Tenants()]).bound
    assert bound.typed_key("tenant-1|a~/x") == ("tenant-1", {"id": {"S": "a"}})
    assert bound.typed_key("tenant-1|a") is None
