"""Dead letters in every store: stored once, read back whole, cut if too large, and removed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import stream_arn, stream_record
from dead_letter_stores import letter
from deployments import Deployment

from routes.images import Images
from service.bootstrap.application import App
from service.commands.dead_letters.selection import Filter, purge, survey
from service.context import Context
from service.errors import Halt, SettingsError
from service.model import TableRecord
from service.model.serializer import typed
from service.pipeline import DeadLetter, Delivery, Outcome, Result
from service.settings import Settings
from service.sinks.dead_letters import make_dead_letter_store
from service.sources.envelopes import unwrap

STORES = ["folder", "s3", "sqs", "sqs.fifo"]


@pytest.mark.long(after=1)
@pytest.mark.parametrize("kind", STORES)
def test_a_letter_is_shown_once_however_often_it_was_stored_and_is_whole(make_box, kind):
    _, box = make_box(kind)
    for _ in range(2):
        box.store([letter("a"), letter("b", route="images:Other")])
    found = {kept.record["dynamodb"]["Keys"]["id"]["S"]: kept for kept in box.read()}
    assert sorted(found) == ["a", "b"]
    assert found["b"].route == "images:Other"
    assert found["a"].record == letter("a").record.raw


@pytest.mark.long(after=1)
@pytest.mark.parametrize("kind", STORES)
def test_a_letter_that_was_removed_is_gone_and_the_others_stay(make_box, kind):
    _, box = make_box(kind)
    box.store([letter("a"), letter("b")])
    for kept in box.read():
        if kept.record["dynamodb"]["Keys"]["id"]["S"] == "a":
            box.remove(kept)
    assert [kept.record["dynamodb"]["Keys"]["id"]["S"] for kept in box.read()] == ["b"]


@pytest.mark.long(after=1)
@pytest.mark.parametrize("kind", STORES)
def test_bytes_in_a_record_of_boto3_come_back_as_they_were(make_box, kind):
    _, box = make_box(kind)
    change = {"Keys": typed({"id": "a"}), "NewImage": typed({"id": "a", "b": b"\0\xff"}), "SequenceNumber": "1"}
    record = TableRecord({"eventName": "INSERT", "dynamodb": change}, source=stream_arn())
    box.store([DeadLetter(record, "images:Images", Result(Outcome.REJECTED, "bad"))])
    (kept,) = box.read()
    (again,) = unwrap({"format": 1, "route": "", "source": kept.source, "record": kept.record})
    assert again.new == {"id": "a", "b": b"\0\xff"}


@pytest.mark.long(after=1)
@pytest.mark.parametrize("kind", ["sqs", "sqs.fifo"])
def test_a_letter_that_is_too_large_for_a_queue_goes_to_the_bucket_with_a_pointer(make_box, kind):
    _, box = make_box(kind)
    box.store([letter("large", text="x" * 300_000), letter("small")])
    found = {kept.record["dynamodb"]["Keys"]["id"]["S"]: kept for kept in box.read()}
    assert len(found["large"].record["dynamodb"]["NewImage"]["text"]["S"]) == 300_000
    which = Filter(route="images:Images")
    assert purge(box, which, survey(box, which).last) == 2
    assert list(box.read()) == []


def test_a_letter_that_is_too_large_is_cut_where_there_is_no_bucket_for_it(make_box):
    _, box = make_box("sqs", large=False)
    box.store([letter("large", text="x" * 300_000)])
    (kept,) = box.read()
    assert kept.record["dynamodb"]["Keys"] == {"id": {"S": "large"}}
    assert "without its images" in kept.cut


@pytest.mark.long(after=1)
@pytest.mark.parametrize("where", ["s3://absent-bucket/x", "sqs://absent-queue"])
def test_a_store_that_is_not_there_halts_so_that_nothing_is_acknowledged(deployment: Deployment, where):
    with (
        App(replace(deployment.settings, dead_letters=where), [Images()]) as app,
        pytest.raises(Halt, match="absent"),
    ):
        app.dispatcher.run(
            Delivery(list(unwrap(stream_record(keys={"other": "key"}, new={"id": "a"}, table=deployment.table))))
        )


@pytest.mark.parametrize("where", ["redis://x", "s3://", "sqs://"])
def test_a_store_of_another_kind_is_an_error_in_settings(where):
    with pytest.raises(SettingsError, match="dead_letters"):
        make_dead_letter_store(Context(Settings(dead_letters=where)))
