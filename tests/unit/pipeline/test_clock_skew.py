"""Times further in the future than `clock_skew`: they never become versions, so they never block later updates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import s3_record, sqs_message, stream_record
from fakes import NOW, Bench, Files, Items, Truth, records

from service.context import Context
from service.model.serializer import typed
from service.model.versions import NO_VERSION, stream_version
from service.pipeline import Delivery
from service.settings import Settings

SEQUENCE = "100000000000000000001"
SKEW = 120.0
YEAR_2079 = 3_450_000_000


def bench(*routes: Any, there: int | None = 9, objects: Any = ("k",), **settings: Any) -> Bench:
    items = {} if there is None else {"a": typed({"id": "a", "n": there})}
    context = Context(replace(Settings(), **settings))
    return Bench(*(routes or (Items(),)), truth=Truth(items, objects), context=context)


def change(number: int, created: float) -> Any:
    return stream_record(new={"id": "a", "n": number}, sequence=SEQUENCE, created=created)


def sequencer_at(seconds: float) -> str:
    """Return a sequencer in AWS's form: the time in Unix seconds, then digits for the order within the second."""
    return f"{int(seconds):08X}299329D1"


@pytest.mark.parametrize("queued", [True, False])
def test_a_record_of_the_future_is_re_read_and_freezes_no_document(queued: bool):
    world = bench(there=9)
    forged = change(666, YEAR_2079)
    world.dispatch(sqs_message(forged) if queued else forged)
    assert world.documents == {"a": {"n": 9}}
    assert world.index.versions["items", "a"] == NO_VERSION
    world.truth.table["a"] = typed({"id": "a", "n": 10})
    assert world.outcomes(change(10, NOW)) == ["APPLIED"]
    assert world.documents == {"a": {"n": 10}}


def test_a_record_of_the_future_does_not_raise_the_version_of_a_document_that_exists():
    world = bench(there=9)
    world.dispatch(change(9, NOW - 60))
    world.dispatch(change(666, YEAR_2079))
    assert world.index.versions["items", "a"] == stream_version(NOW - 60, int(SEQUENCE))
    assert world.documents == {"a": {"n": 9}}


def test_within_the_skew_a_time_is_trusted_and_the_setting_moves_the_bound():
    for created, settings, trusted in (
        (NOW + SKEW, {}, True),
        (NOW + SKEW + 1, {}, False),
        (NOW + 500, {"clock_skew": 600.0}, True),
        (NOW + 601, {"clock_skew": 600.0}, False),
    ):
        world = bench(there=9, **settings)
        world.dispatch(change(1, created))
        expected = stream_version(created, int(SEQUENCE)) if trusted else NO_VERSION
        assert world.index.versions["items", "a"] == expected
        assert world.documents == {"a": {"n": 1 if trusted else 9}}


@pytest.mark.parametrize("sequencer", [sequencer_at(YEAR_2079), "F" * 16, "F" * 18])
def test_a_sequencer_of_the_future_freezes_no_document(sequencer: str):
    world = bench(Files())
    assert world.outcomes(s3_record("k", "ObjectRemoved:Delete", sequencer=sequencer)) == ["APPLIED"]
    assert world.documents == {"k": {"key": "k"}}  # the object exists, so nothing is deleted
    world.dispatch(s3_record("k", sequencer=sequencer_at(NOW)))
    assert world.index.versions["files", "k"] == int(sequencer_at(NOW)[:15], 16)


def test_a_sequencer_of_the_present_is_trusted():
    world = bench(Files(), objects=())
    young = {"eventTime": "2023-11-14T22:14:10.000Z"}
    world.dispatch(s3_record("k", sequencer=sequencer_at(NOW + SKEW)) | young)
    assert (world.documents, world.truth.reads) == ({"k": {"key": "k"}}, [])


def test_an_object_event_that_claims_a_time_in_the_future_is_as_old_as_one_without_a_time():
    world = bench(Files())
    late = {"eventTime": "2079-01-01T00:00:00.000Z"}
    world.dispatch(s3_record("k", "ObjectRemoved:Delete", sequencer=sequencer_at(NOW)) | late)
    assert world.documents == {"k": {"key": "k"}}


def test_a_recording_is_not_changed():
    forged = change(1, YEAR_2079)
    (record,) = records(forged)
    bench().dispatcher.run(Delivery([record], "test"))
    assert record.raw["dynamodb"]["ApproximateCreationDateTime"] == YEAR_2079
