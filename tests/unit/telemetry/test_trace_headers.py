"""Trace headers of messages: a batch continues the trace of its messages, and names several."""

from __future__ import annotations

from threading import Event

import pytest
from fakes import FakeQueue
from traced_batches import OTHER, PARENT, TRACE, dispatch, header, item, parts

from service.bootstrap.application import App
from service.pipeline.workers import Worker
from service.sources.sqs.queue_source import QueueSource
from service.telemetry.origins import origin_of


def deliver(app: App, queue: FakeQueue) -> None:
    """Run the container's worker until the queue is empty."""
    source = QueueSource(app.context, "uploads", Event(), drains=True, observer=app.observer)
    Worker(source, app.dispatcher, Event()).run()


def uploads(*headers: str) -> FakeQueue:
    """Return a queue of stream records in messages with these trace headers; "" for no header."""
    queue = FakeQueue(*[item(str(number), sequence=f"1{number:020}") for number, _ in enumerate(headers)])
    for message, said in zip(queue.messages, headers, strict=True):
        if said:
            message["Attributes"]["AWSTraceHeader"] = said
    return queue


def test_what_a_queue_gives_is_decoded_within_its_batch(app, daemon):
    deliver(app(sqs=(queue := uploads("", ""))), queue)
    (batch,) = daemon.documents()
    decode = parts(batch)["decode"]
    assert batch["annotations"]["source"] == "queue uploads"
    assert decode["start_time"] == batch["start_time"]
    assert decode["end_time"] <= parts(batch)["fakes:Items"]["start_time"]
    assert queue.deleted == ["r0", "r1"]


def test_the_next_batch_of_a_thread_has_what_was_decoded_for_it_alone(app, daemon):
    built = app(sqs=(queue := uploads(header())))
    deliver(built, queue)
    dispatch(built, item("z"))
    _, second = daemon.documents()
    assert "decode" not in parts(second)
    assert second["trace_id"] != TRACE


def test_a_batch_goes_on_with_the_trace_that_all_its_messages_came_with(app, daemon):
    deliver(app(sqs=(queue := uploads(header(), header()))), queue)
    (batch,) = daemon.documents()
    assert (batch["trace_id"], batch["parent_id"]) == (TRACE, PARENT)
    assert "traces" not in batch["annotations"]


@pytest.mark.parametrize("headers", [(header(), header(OTHER)), (header(), "")])
def test_a_batch_of_several_traces_has_its_own_and_names_them(app, daemon, headers):
    deliver(app(sqs=(queue := uploads(*headers))), queue)
    (batch,) = daemon.documents()
    assert batch["trace_id"] not in (TRACE, OTHER)
    assert "parent_id" not in batch
    assert batch["annotations"]["traces"] == " ".join(sorted({said[5:40] for said in headers if said}))


def test_a_trace_that_is_not_recorded_is_not_gone_on_with(app, daemon):
    built = app(sqs=(queue := uploads(header(sampled="0"), header(OTHER, sampled="0"))))
    deliver(built, queue)
    assert daemon.documents() == []
    assert built.context.search.documents.keys() == {"0", "1"}


def test_a_trace_that_is_recorded_is_gone_on_with_whatever_the_rate(app, daemon):
    built = app(trace_rate=0.0, sqs=uploads())
    for _ in range(5):
        built.context.sqs.messages = uploads(header()).messages
        deliver(built, built.context.sqs)
    assert [batch["trace_id"] for batch in daemon.documents()] == [TRACE] * 5


@pytest.mark.parametrize(
    ("headers", "only", "parent", "sampled"),
    [
        ([header()], TRACE, PARENT, 1),
        ([header(parent="00000000000000bb"), header()], TRACE, None, 1),
        ([header(sampled="?")], TRACE, PARENT, None),
        ([header(sampled="0"), header(sampled="1")], TRACE, PARENT, 1),
        ([f"Self=1-x;Root={TRACE}"], TRACE, None, None),
        ([header(parent="no id")], TRACE, None, 1),
        (["Root=1-2-3;Sampled=1"], None, None, None),
        (["nonsense", ""], None, None, None),
        ([], None, None, None),
    ],
)
def test_a_trace_header_is_read_as_far_as_it_can_be(headers, only, parent, sampled):
    for name in ("Attributes", "attributes"):
        origin = origin_of([{name: {"AWSTraceHeader": said}} for said in headers])
        assert (origin.only, origin.parent, origin.sampled) == (only, parent, sampled)


def test_what_is_no_message_has_no_origin():
    assert origin_of([None, "text", {"Attributes": None}, {"attributes": {"AWSTraceHeader": 1}}]).traces == []
