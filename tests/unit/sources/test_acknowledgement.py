"""Acknowledgement: no source acknowledges a record before it is finished.

Each example draws the number of failures of each record, so that one delivery has several unfinished records with
finished ones between them. In the end every record must be finished: a source never redelivers a record that it
acknowledged too early.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from builders import lambda_event, s3_record, sqs_message, stream_record
from event_source_mappings import QueueMapping, StreamMapping
from fakes import FakeQueue
from hypothesis import given, settings
from hypothesis import strategies as st
from lengths import examples
from stream_model import StreamModel
from turns import Turns

from service.checkpoints.stores import ENDED, SqliteCheckpoints
from service.context import Context
from service.model import Record
from service.pipeline import Outcome, Report, Result
from service.settings import Settings
from service.sources.dynamodb_streams import StreamSource
from service.sources.lambda_event import LambdaBatch
from service.sources.partitions import Page, PartSource
from service.sources.sqs.queue_source import QueueSource
from service.timing import Timing

FAILURES = st.lists(st.sampled_from([0, 0, 0, 1, 1, 2]), min_size=1, max_size=12)
"""Number of failures of each record before it is finished."""

DONE = (Outcome.APPLIED, Outcome.STALE, Outcome.SKIPPED, Outcome.REJECTED)
UNDONE = (Outcome.RETRY, Outcome.BLOCKED)

many = settings(max_examples=examples(30), deadline=None)


class Consumer:
    """A consumer that fails each record as often as `failures` says. It collects the names of finished records."""

    def __init__(self, names: Sequence[str], failures: Sequence[int]):
        self.left = Counter(dict(zip(names, failures, strict=True)))
        self.names = list(names)
        self.finished: set[str] = set()

    def report(self, names: Sequence[str]) -> Report:
        return Report([Result(self._outcome(name), "busy") for name in names])

    def _outcome(self, name: str) -> Outcome:
        if self.left[name] > 0:
            self.left[name] -= 1
            return UNDONE[self.left[name] % 2]
        self.finished.add(name)
        return DONE[len(self.finished) % len(DONE)]

    def assert_all_finished(self) -> None:
        assert self.finished == set(self.names)


@many
@given(FAILURES, st.integers(1, 12), st.integers(0, 6))
def test_a_shard_is_acknowledged_up_to_its_first_unfinished_record(failures, page, restart):
    model, store = StreamModel(page=page), SqliteCheckpoints(":memory:", "group")
    (shard,) = model.streams[0].shards.values()
    numbers = model.write(shard, len(failures))
    consumer = Consumer([str(number) for number in numbers], failures)
    for _ in range(50):
        for number, batch in enumerate(batches_of(model, store), 1):
            report = consumer.report([str(int(record.identifier)) for record in batch.records])
            if batch.delivery.prefetch is not None:
                batch.delivery.prefetch()
            batch.settle(report)
            position = store.read(model.streams[0].arn)[shard.id].position
            done = [n for n in numbers if position.isdigit() and n <= int(position)]
            assert {str(n) for n in done} <= consumer.finished
            if number == restart or done == numbers:
                break
        if done == numbers:
            break
    store.close()
    consumer.assert_all_finished()


def batches_of(model: StreamModel, store: Any) -> StreamSource:
    """Return a source that reads the model's table. It ends after an hour without records."""
    stopping, end = Event(), model.now + 3600.0

    def wait(condition: Any, seconds: float) -> None:
        model.now += max(seconds, 0.001)
        if model.now > end:
            stopping.set()

    timing = Timing(lambda: model.now, lambda: model.now, wait, lambda: 0.5)
    context = Context(Settings(), dynamodb=model, dynamodb_streams=model)
    return StreamSource(context, "images", store, stopping, timing=timing)


class RedeliveringQueue(FakeQueue):
    """A queue that redelivers undeleted messages in their original order, as FIFO groups require."""

    def __init__(self, bodies: Sequence[Any], groups: dict[int, str] | None):
        super().__init__(*bodies, groups=groups)
        self._all = self.messages

    def receive_message(self, **arguments: Any) -> Any:
        left = [m for m in self._all if m["ReceiptHandle"] not in self.deleted]
        return {"Messages": left[: arguments["MaxNumberOfMessages"]]} if left else {}


@pytest.mark.parametrize("fifo", [False, True])
@many
@given(FAILURES, st.integers(1, 3), st.integers(0, 2**32))
def test_a_message_is_deleted_once_all_its_records_and_all_before_it_in_its_group_are_finished(
    fifo, failures, each, seed
):
    names = [f"k{number}" for number in range(len(failures))]
    parts = [names[begin : begin + each] for begin in range(0, len(names), each)]
    chance, consumer = random.Random(seed), Consumer(names, failures)
    groups = {number: chance.choice("gh") for number in range(len(parts))} if fifo else None
    queue = RedeliveringQueue([lambda_event(*map(s3_record, part)) for part in parts], groups)
    context = Context(Settings(poll_interval=0, poll_wait=0), sqs=queue)
    for batch in QueueSource(context, "q", Event(), drains=True):
        batch.settle(consumer.report([record.key for record in batch.records]))
        deleted = [int(handle.removeprefix("r")) for handle in queue.deleted]
        assert {name for number in deleted for name in parts[number]} <= consumer.finished
        if groups:
            for group in "gh":
                order = [number for number in range(len(parts)) if groups[number] == group]
                assert [n for n in deleted if groups[n] == group] == order[: len(set(deleted) & set(order))]
    consumer.assert_all_finished()


def handler(consumer: Consumer, name_of: Callable[[Record], str]) -> Callable[[Any], Any]:
    """Return a Lambda function that reports the outcomes of the consumer."""

    def handle(event: Any) -> Any:
        batch = LambdaBatch(event)
        batch.settle(consumer.report([name_of(record) for record in batch.records]))
        return batch.answer

    return handle


@many
@given(FAILURES, st.integers(1, 12), st.integers(1, 3), st.booleans(), st.integers(0, 2**32))
def test_lambda_reports_the_first_unfinished_record_of_a_stream(failures, size, lanes, bisect, seed):
    names = [f"{998 + number}" for number in range(len(failures))]  # ids with three and with four digits
    consumer = Consumer(names, failures)
    records = [stream_record(new={"id": name}, sequence=name) for name in names]
    mapping = StreamMapping(
        handler(consumer, lambda record: record.identifier), batch_size=size, bisect=bisect, lanes=lanes
    )
    mapping.run(records, Turns(random.Random(seed)))
    consumer.assert_all_finished()


@pytest.mark.parametrize("fifo", [False, True])
@many
@given(FAILURES, st.integers(1, 10), st.integers(1, 3), st.integers(0, 2**32))
def test_lambda_reports_every_message_that_is_unfinished_or_behind_one_in_its_group(
    fifo, failures, size, each, seed
):
    chance, names = random.Random(seed), [f"k{number}" for number in range(len(failures))]
    parts = [names[begin : begin + each] for begin in range(0, len(names), each)]
    consumer = Consumer(names, failures)
    messages = [
        sqs_message(lambda_event(*map(s3_record, part)), f"m{number}", chance.choice("gh") if fifo else None)
        for number, part in enumerate(parts)
    ]
    QueueMapping(handler(consumer, lambda record: record.key), batch_size=size).run(messages, chance)
    consumer.assert_all_finished()


class Pages:
    """A partition in memory. Some pages have no records, and some reads are throttled."""

    name = "0"

    def __init__(self, pages: Sequence[Sequence[str]], chance: random.Random):
        self._pages = pages
        self._chance = chance

    def read(self, after: str) -> Page:
        if self._chance.random() < 0.2:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "Scan")
        place = int(after or 0)
        last = place + 1 == len(self._pages)
        records: Any = [SimpleNamespace(identifier=name) for name in self._pages[place]]
        return Page(records, ENDED if last else str(place + 1), 0.0)


@many
@given(FAILURES, st.integers(0, 4), st.integers(0, 2**32))
def test_a_part_moves_on_once_every_record_of_its_page_is_finished(failures, restart, seed):
    chance, names = random.Random(seed), [f"i{number}" for number in range(len(failures))]
    cuts = sorted(chance.choices(range(len(names) + 1), k=3))
    pages = [names[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(names)], strict=True)]
    consumer, store = Consumer(names, failures), SqliteCheckpoints(":memory:", "group")
    for _ in range(100):
        source = PartSource("parts", [Pages(pages, chance)], 1, store, "job", Event())
        source._stopping.wait = lambda seconds: False  # skip the idle delays and backoff
        for number, batch in enumerate(source, 1):
            batch.delivery.prefetch()
            batch.settle(consumer.report([record.identifier for record in batch.records]))
            found = store.read("job").get("0")
            place = len(pages) if found and found.position == ENDED else int(found.position if found else 0)
            assert {name for page in pages[:place] for name in page} <= consumer.finished
            if number == restart:
                break
        if source.complete:
            break
    store.close()
    consumer.assert_all_finished()
