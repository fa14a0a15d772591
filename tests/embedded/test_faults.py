"""Faults of the search server and the network: no record is lost, no document is stale, every run ends.

Every record gets an outcome. STREAMDEX_FAULT_RUNS sets the number of random runs. The number of a run is its seed.
With 20 runs or more (`make test-faults`), each run is also longer.
"""

from __future__ import annotations

import os
import random
from itertools import chain, count
from typing import Any, ClassVar

import pytest
from builders import stream_record
from deployments import documents_of, drop
from fakes import HeldLetters, Silence, Truth
from faults import BROKEN, FAULTS, POISON, TIMEOUT, FaultyServer, faulty

from service import TableRoute
from service.context import Context
from service.errors import Halt
from service.model import Record
from service.pipeline import Delivery, Dispatcher, Sinks
from service.pipeline.rereads import Rereads
from service.retry_policy import RetryPolicy
from service.routing import Router
from service.settings import Settings
from service.sinks.dynamodb import ItemSink
from service.sinks.opensearch import SearchSink
from service.sinks.sql import RowSink
from service.sources.envelopes import unwrap

RUNS = int(os.environ.get("STREAMDEX_FAULT_RUNS", "4"))
RECORDS = 500 if RUNS >= 20 else 60
START = 1_700_000_000
ROUNDS = 500
"""The most deliveries of one run. A run with more has no end."""


class Items(TableRoute):
    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "faults"

    def document(self, item):
        if item["n"] % 97 == 0:
            raise ValueError("a mistake in the route")
        return {"n": item["n"]}


def history(chance: random.Random) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return records of changes to some items, and the content that the index must have at the end."""
    raws, final = [], {}
    for number in range(1, RECORDS + 1):
        key = {3: POISON, 5: BROKEN}.get(number) or chance.choice([*"abcdefghijklmnopqrst"] * 5 + [POISON, BROKEN])
        removes = chance.random() < 0.2
        image = {"old" if removes else "new": {"id": key, "n": number}}
        raws.append(
            stream_record(
                "REMOVE" if removes else "MODIFY",
                sequence=f"{number}00000000000000000000",
                created=START + number // 10,
                keys={"id": key},
                **image,
            )
        )
        if removes:
            final.pop(key, None)
        elif number % 97:
            final[key] = number
    return raws, final


class Run:
    """A dispatcher that writes through the proxy and gets records as from a shard."""

    def __init__(self, server: FaultyServer, final: dict[str, int]):
        context = Context(Settings(search_url=server.url, search_timeout=TIMEOUT, bulk_actions=40))
        self.context = context
        self.paused = 0.0
        self.letters = HeldLetters()
        truth = Truth({key: {"id": {"S": key}, "n": {"N": str(number)}} for key, number in final.items()})
        self.dispatcher = Dispatcher(
            Router([Items()]),
            sinks=Sinks(documents=SearchSink(context, {}), items=ItemSink(context), rows=RowSink(context)),
            letters=self.letters,
            observer=Silence(),
            rereads=Rereads(truth, 1800.0, now=lambda: START + 10**6),
            context=context,
            retry_policy=RetryPolicy(
                0.06, shortest=0.001, longest=0.01, clock=lambda: self.paused, sleep=self._pause
            ),
        )

    def _pause(self, seconds: float) -> None:
        """Add up the backoff without waiting, so that retries do not depend on the load of the machine."""
        self.paused += seconds

    def feed(self, raws: list[dict[str, Any]], chance: random.Random) -> int:
        """Deliver all records, and redeliver from the first unfinished one. Return the number of deliveries."""
        records: list[Record] = list(unwrap(raws))
        position, deliveries, reason = 0, 0, ""
        while position < len(records):
            batch = records[position : position + chance.choice([1, 7, 100])]
            deliveries += 1
            assert deliveries < ROUNDS, f"no end: {reason}"
            try:
                report = self.dispatcher.run(Delivery(batch))
            except Halt as halt:  # nothing is acknowledged: the whole batch is redelivered
                reason = str(halt)
                continue
            assert len(report.results) == len(batch)
            position += report.undone[0] if report.undone else len(batch)
            reason = report.results[report.undone[0]].reason if report.undone else ""
        return deliveries


def check(search_url: str, choose: Any, chance: random.Random) -> list[str]:
    """Do one run and return its faults."""
    drop(search_url, "faults")
    raws, final = history(chance)
    with faulty(search_url, choose, chance) as server:
        run = Run(server, final)
        run.feed(raws, chance)
        run.context.close()
    found = {name: document["n"] for name, document in documents_of(search_url, "faults").items()}
    assert found == {key: number for key, number in final.items() if key not in (POISON, BROKEN)}
    kept = {letter.record.keys["id"] for letter in run.letters.letters}
    assert {POISON, BROKEN} <= kept
    others = [letter for letter in run.letters.letters if letter.record.keys["id"] not in (POISON, BROKEN)]
    assert [reason for letter in others if "a mistake in the route" not in (reason := letter.result.reason)] == []
    return server.faults


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_alone_loses_nothing(search_url: str, fault: str):
    chance = random.Random(fault)
    # A 401 returns the whole batch. If it is frequent, no batch ever finishes.
    often = 0.01 if fault == "401" else 0.2
    faults = chain([fault], (fault if chance.random() < often else "" for _ in count()))
    assert fault in check(search_url, lambda: next(faults), chance)


@pytest.mark.parametrize("seed", range(RUNS))
def test_faults_in_any_mix_lose_nothing(search_url: str, seed: int):
    chance = random.Random(seed)
    check(search_url, lambda: chance.choice(FAULTS) if chance.random() < 0.3 else "", chance)
