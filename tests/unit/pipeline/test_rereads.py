"""Re-reads of items: for a record that is not trusted, the current item is read and written."""

from __future__ import annotations

from typing import ClassVar

import pytest
from botocore.exceptions import ClientError
from builders import sns_record, sqs_message, stream_record
from fakes import NOW, Bench, IndexModel, Items, Truth, records
from item_records import HOUR_AGO, items, record, truth

from service import Delete, DeleteItem, PutItem, TableRoute
from service.errors import DeclarationError, Halt
from service.model.outcomes import APPLIED
from service.model.versions import stream_version
from service.pipeline.rereads import PROMPT


def test_a_record_of_the_stream_is_taken_at_its_word_however_old():
    bench = Bench(Items(), truth=truth(a=9))
    bench.dispatch(record(created=HOUR_AGO))
    assert bench.documents == {"a": {"n": 1}}
    assert bench.truth.reads == []


def test_a_late_creation_by_a_queue_that_the_index_knew_nothing_of_is_read_and_removed_if_it_is_gone():
    bench = Bench(Items(), truth=truth())
    assert bench.outcomes(sqs_message(record(created=NOW - PROMPT - 1))) == ["APPLIED"]
    assert [type(write.action).__name__ for write in bench.index.sent] == ["Serialised", "Delete"]
    assert bench.documents == {}


def test_a_late_creation_by_a_queue_of_what_has_changed_since_is_left_to_the_record_of_that_change():
    bench = Bench(Items(), truth=truth(a=9))
    assert bench.outcomes(sqs_message(record(created=NOW - PROMPT - 1))) == ["APPLIED"]
    assert bench.documents == {"a": {"n": 1}}
    assert bench.truth.reads == [["a"]]


def test_what_the_index_had_is_not_read_again():
    bench = Bench(Items(), truth=truth())
    bench.dispatch(record(number=1))
    bench.dispatch(sqs_message(record(number=2, created=NOW - PROMPT - 1)))
    assert bench.truth.reads == []


def test_a_prompt_creation_by_a_queue_is_not_read_again():
    bench = Bench(Items(), truth=truth())
    bench.dispatch(sqs_message(record(created=NOW - PROMPT)))
    assert bench.truth.reads == []


def test_a_creation_of_a_shard_is_not_read_again_however_old():
    bench = Bench(Items(), truth=truth())
    bench.dispatch(record(created=HOUR_AGO))
    assert bench.truth.reads == []


def test_what_cannot_be_read_again_after_its_creation_is_tried_again():
    bench = Bench(Items(), truth=truth())
    bench.truth.error = ConnectionError("refused")
    assert bench.outcomes(sqs_message(record(created=NOW - PROMPT - 1))) == ["RETRY"]


def test_a_record_from_a_queue_is_taken_at_its_word_while_it_is_young():
    bench = Bench(Items(), truth=truth(a=9))
    bench.dispatch(record(number=1, created=NOW - 1800))
    bench.dispatch(sqs_message(record(number=2, created=NOW - 1700)))
    assert bench.documents == {"a": {"n": 2}}
    assert bench.truth.reads == []


def test_an_old_record_from_a_queue_is_read_and_written_at_its_own_version():
    bench = Bench(Items(), truth=truth(a=9))
    bench.dispatch(sqs_message(record(created=HOUR_AGO)))
    assert bench.documents == {"a": {"n": 9}}
    assert bench.index.versions["items", "a"] == stream_version(HOUR_AGO, 10**20)


def test_an_old_record_of_an_item_that_is_gone_deletes_its_document():
    bench = Bench(Items(), truth=truth())
    bench.dispatch(sqs_message(record(created=HOUR_AGO)))
    assert [type(write.action) for write in bench.index.sent] == [Delete]


def test_many_hints_are_read_at_once():
    bench = Bench(Items(), truth=truth(a=1, b=2, c=3))
    bench.dispatch(*[sqs_message(record(name, created=HOUR_AGO), name) for name in "abc"])
    assert bench.truth.reads == [["a", "b", "c"]]


def test_a_route_that_fetches_reads_every_record():
    class Fetching(Items):
        fetch: ClassVar = True

    bench = Bench(Fetching(), truth=truth(a=9))
    bench.dispatch(record())
    assert bench.documents == {"a": {"n": 9}}


def test_a_stream_without_new_images_is_read():
    bench = Bench(Items(), truth=truth(a=9))
    assert bench.outcomes(stream_record("MODIFY", keys={"id": "a"})) == ["APPLIED"]
    assert bench.documents == {"a": {"n": 9}}


@pytest.mark.parametrize("created", [None, "yesterday", 5, -1])
def test_a_record_without_a_usable_time_is_read(created):
    raw = record()
    raw["dynamodb"]["ApproximateCreationDateTime"] = created
    bench = Bench(Items(), truth=truth(a=9))
    bench.dispatch(raw)
    assert bench.documents == {"a": {"n": 9}}


def test_an_item_that_cannot_be_read_now_is_tried_again():
    bench = Bench(Items(), truth=truth())
    bench.truth.error = ConnectionError("refused")
    assert bench.outcomes(sqs_message(record(created=HOUR_AGO)), record("b")) == ["RETRY", "APPLIED"]


def test_an_index_without_versions_gets_none_and_every_record_is_read():
    class Unversioned(Items):
        versions: ClassVar = None

    bench = Bench(Unversioned(), truth=truth(a=9))
    bench.dispatch(record())
    assert [write.version for write in bench.index.sent] == [None]
    assert bench.documents == {"a": {"n": 9}}


def test_versions_of_another_kind_are_refused():
    class Odd(Items):
        versions: ClassVar = "internal"

    with pytest.raises(DeclarationError, match="versions"):
        Bench(Odd())


def test_a_recording_is_taken_at_its_word():
    bench = Bench(Items(), truth=truth(a=9), trusting=True)
    bench.dispatch(sqs_message(record(number=2, created=HOUR_AGO)))
    assert bench.outcomes(sqs_message(record(number=1, created=HOUR_AGO))) == ["STALE"]
    assert bench.documents == {"a": {"n": 2}}
    assert bench.truth.reads == []


class Picky(Truth):
    """A table that rejects reads of one key."""

    def items(self, records):
        if any(record.keys["id"] == "bad" for record in records):
            raise ClientError({"Error": {"Code": "ValidationException"}}, "BatchGetItem")
        return super().items(records)


def test_one_key_that_cannot_be_read_is_rejected_and_the_others_are_read():
    bench = Bench(Items(), truth=Picky(truth(a=1, b=2).table))
    late = [sqs_message(record(name, created=HOUR_AGO), name) for name in ("a", "bad", "b")]
    assert bench.outcomes(*late) == ["APPLIED", "REJECTED", "APPLIED"]
    assert bench.documents == {"a": {"n": 1}, "b": {"n": 2}}


def test_a_missing_permission_to_read_halts():
    bench = Bench(Items(), truth=truth())
    bench.truth.error = ClientError({"Error": {"Code": "AccessDeniedException"}}, "BatchGetItem")
    with pytest.raises(Halt, match="permission"):
        bench.dispatch(sqs_message(record(created=HOUR_AGO)))


class Copies(TableRoute):
    """A route from the items of one table to the items of another."""

    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    writes: ClassVar = {"table": "copies"}

    def insert(self, record, context):
        return [PutItem({"id": record.new["id"], "n": record.new["n"]})]

    modify = insert

    def remove(self, record, context):
        return [DeleteItem(record.keys)]


class Unconditional(IndexModel):
    """A table without version checks."""

    def _write(self, write):
        self.sent.append(write)
        return APPLIED


def test_what_came_unordered_and_writes_an_item_is_read():
    bench = Bench(Copies(), truth=truth(), table=Unconditional())
    late = record()
    bench.dispatch(sqs_message(stream_record("REMOVE", old={"id": "a", "n": 1}, sequence="2")), sqs_message(late))
    assert items(bench) == [DeleteItem({"id": "a"})] * 2
    bench.dispatch(late)  # a record from a shard is trusted, because the removal follows in the shard
    assert items(bench)[2:] == [PutItem({"id": "a", "n": 1})]


def test_a_record_in_a_notification_has_no_place_in_an_order():
    (found,) = records({"Records": [sns_record({"Records": [record()]})]})
    assert not found.ordered


@pytest.mark.parametrize(("wrap", "outcome"), [(lambda raw: raw, "APPLIED"), (sqs_message, "RETRY")])
def test_an_item_that_changes_all_the_time_holds_up_no_shard(wrap, outcome):
    world = truth(a=0)

    class Hot(Items):
        versions: ClassVar = None

        def document(self, item):
            world.table = truth(a=item["n"] + 1).table
            return {"n": item["n"]}

    assert Bench(Hot(), truth=world).outcomes(wrap(record())) == [outcome]


def test_a_recording_of_a_queue_that_writes_items_is_taken_at_its_word():
    bench = Bench(Copies(), truth=truth(a=9), table=Unconditional(), trusting=True)
    assert bench.outcomes(sqs_message(record())) == ["APPLIED"]
    assert items(bench) == [PutItem({"id": "a", "n": 1})]
    assert bench.truth.reads == []
