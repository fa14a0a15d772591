"""Faults of S3 and DynamoDB in routes, re-reads and item writes: nothing is lost or stale, and processing ends.

STREAMDEX_FAULT_RUNS sets the number of runs, as in tests/embedded/test_faults.py.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain, count
from typing import Any, ClassVar

import pytest
from builders import s3_record, sqs_message, stream_record
from fakes import HeldLetters, IndexModel, Silence
from faulty_aws import AWS_FAULTS, FaultyAws

from service import BucketRoute, DeleteItem, PutItem, TableRoute
from service.context import Context
from service.errors import Halt
from service.model import Record
from service.pipeline import Delivery, Dispatcher, Sinks
from service.pipeline.rereads import Rereads
from service.retry_policy import RetryPolicy
from service.routing import Router
from service.sinks.dynamodb import ItemSink
from service.sinks.sql import RowSink
from service.sources.current_state import Lookups
from service.sources.envelopes import unwrap

RUNS = int(os.environ.get("STREAMDEX_FAULT_RUNS", "4"))
RECORDS = 200 if RUNS >= 20 else 100
KEYS = "abcdefghijklmnopqrst"
WHEN = datetime(2026, 11, 22, 1, tzinfo=UTC).timestamp()
"""One hour after the objects' events: no record is old enough to be given up."""

TABLE, BUCKET = "texts", "texts"


class Texts(BucketRoute):
    """A route from objects to items with their text."""

    bucket: ClassVar = BUCKET
    writes: ClassVar = {"table": TABLE}

    def created(self, upload, context):
        body = context.s3.get_object(Bucket=upload.bucket, Key=upload.key)["Body"]
        return [PutItem({"id": upload.key, "text": body.read().decode()})]

    def deleted(self, upload, context):
        return [DeleteItem({"id": upload.key})]


class Counted(TableRoute):
    """A route from items to documents, with a value that it reads from another item."""

    table: ClassVar = TABLE
    key: ClassVar = {"id": "S"}
    index: ClassVar = "faults"

    def documents(self, items, context):
        found = context.dynamodb.get_item(TableName=TABLE, Key={"id": {"S": "fixed"}})["Item"]
        return [{"n": item["n"], "text": found["text"]["S"]} for item in items]


class Run:
    """A dispatcher whose routes, re-reads and item writes meet faults."""

    def __init__(self, choose: Callable[[], str]):
        self.aws = FaultyAws(choose)
        self.aws.items["fixed"] = {"id": {"S": "fixed"}, "text": {"S": "looked up"}}
        context = Context(s3=self.aws.s3, dynamodb=self.aws.dynamodb)
        self.index = IndexModel()
        self.reason = ""
        self.letters = HeldLetters()
        self.dispatcher = Dispatcher(
            Router([Texts(), Counted()]),
            sinks=Sinks(documents=self.index, items=ItemSink(context), rows=RowSink(context)),
            letters=self.letters,
            observer=Silence(),
            rereads=Rereads(Lookups(context), 1800.0, now=lambda: WHEN),
            context=context,
            retry_policy=RetryPolicy(0.05, shortest=0.001, longest=0.01),
        )

    def items(self) -> dict[str, str]:
        return {key: item["text"]["S"] for key, item in self.aws.items.items() if key != "fixed"}

    def attempt(self, records: Sequence[Record]) -> list[int]:
        """Dispatch once. Return the positions of the unfinished records."""
        try:
            report = self.dispatcher.run(Delivery(records))
        except Halt as halt:
            self.reason = str(halt)
            return list(range(len(records)))
        self.reason = report.results[report.undone[0]].reason if report.undone else ""
        return report.undone

    def read_shard(self, raws: list[Any], chance: random.Random) -> None:
        """Deliver in order. Redeliver from the first unfinished record."""
        records, position = list(unwrap(raws)), 0
        for _ in range(20 * RECORDS):
            batch = records[position : position + chance.choice([1, 7, 100])]
            undone = self.attempt(batch)
            position += undone[0] if undone else len(batch)
            if position == len(records):
                return
        pytest.fail(f"no end: {self.reason}")

    def read_queue(self, raws: list[Any], chance: random.Random) -> None:
        """Deliver in random order, a fifth of the records twice. Redeliver unfinished records."""
        waiting = [*raws, *chance.sample(raws, len(raws) // 5)]
        chance.shuffle(waiting)
        for _ in range(20 * RECORDS):
            if not waiting:
                return
            batch = [waiting.pop() for _ in range(min(len(waiting), 10))]
            messages = [sqs_message({"Records": [raw]}, f"m{number}") for number, raw in enumerate(batch)]
            waiting += [batch[position] for position in self.attempt(list(unwrap(messages)))]
            chance.shuffle(waiting)
        pytest.fail(f"no end: {self.reason}")


def changes(chance: random.Random) -> list[tuple[str, bool]]:
    """Return random keys, each with True for a write or False for a removal."""
    return [(chance.choice(KEYS), chance.random() < 0.8) for _ in range(RECORDS)]


def final(history: Sequence[tuple[str, bool]]) -> dict[str, int]:
    found = {}
    for number, (key, written) in enumerate(history):
        found.pop(key, None)
        if written:
            found[key] = number
    return found


def check_objects(choose: Callable[[], str], chance: random.Random) -> list[str]:
    """Check uploads in two rounds. The second round also redelivers the events of the first."""
    history = changes(chance)
    events = [
        s3_record(
            key,
            "ObjectCreated:Put" if written else "ObjectRemoved:Delete",
            bucket=BUCKET,
            sequencer=f"{int(WHEN):010X}{number + 1:07X}0",  # AWS's form: the time comes first
        )
        for number, (key, written) in enumerate(history)
    ]
    run = Run(choose)
    for part in (RECORDS // 2, RECORDS):
        run.aws.objects = {key: str(number) for key, number in final(history[:part]).items()}
        run.read_queue(events[:part], chance)
        assert run.items() == run.aws.objects
    assert run.letters.letters == []
    return run.aws.faults


def check_items(choose: Callable[[], str], chance: random.Random) -> list[str]:
    history = changes(chance)
    raws = [
        stream_record(
            "MODIFY" if written else "REMOVE",
            table=TABLE,
            sequence=f"{number + 1}00000000000000000000",
            created=WHEN,
            keys={"id": key},
            **{"new" if written else "old": {"id": key, "n": number}},
        )
        for number, (key, written) in enumerate(history)
    ]
    run = Run(choose)
    run.read_shard(raws, chance)
    found = {name: document for (_, name), document in run.index.documents.items()}
    assert found == {key: {"n": number, "text": "looked up"} for key, number in final(history).items()}
    assert run.letters.letters == []
    return run.aws.faults


CHECKS = pytest.mark.parametrize("check", [check_objects, check_items])


@pytest.mark.long
@CHECKS
@pytest.mark.parametrize("fault", AWS_FAULTS)
def test_each_fault_of_aws_alone_loses_nothing(fault: str, check: Any):
    chance = random.Random(fault)
    # A denial returns the whole batch. At a higher rate, almost no batch would finish.
    often = 0.01 if fault == "denied" else 0.2
    faults = chain([fault], (fault if chance.random() < often else "" for _ in count()))
    assert fault in check(lambda: next(faults), chance)


@CHECKS
@pytest.mark.parametrize("seed", range(RUNS))
def test_faults_of_aws_in_any_mix_lose_nothing(seed: int, check: Any):
    chance = random.Random(seed)
    transient = [fault for fault in AWS_FAULTS if fault != "denied"]

    def choose() -> str:
        if chance.random() < 0.005:
            return "denied"
        return chance.choice(transient) if chance.random() < 0.2 else ""

    check(choose, chance)
