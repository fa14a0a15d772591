"""State that the threads of a sink share: index names and request sizes, changed concurrently."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from builders import stream_record
from fakes import records
from opensearchpy.exceptions import ConnectionError as Unreached

from service import Index
from service.context import Context
from service.pipeline import Outcome, Write
from service.settings import Settings
from service.sinks.opensearch import SearchSink
from service.sinks.opensearch.bulk_body import BulkSize

THREADS = 4
SECONDS = 0.3


def write(index: str) -> Write:
    (record,) = records(stream_record(new={"id": "a"}))
    return Write(record, Index({"n": 1}), index, "a", 7)


class Server:
    """A search server that answers in turn with success, a missing index and a connection error."""

    def __init__(self) -> None:
        self.indices = self
        self.numbers = count()

    def get_alias(self, index: str) -> Any:
        return {name.rstrip("*"): {"aliases": {}} for name in index.split(",")}

    def bulk(self, body: bytes) -> Any:
        number, actions = next(self.numbers), body.count(b'"_id"')
        if number % 3 == 0:
            raise Unreached("N/A", "refused", Exception())
        gone = {"status": 404, "error": {"type": "index_not_found_exception", "reason": "gone"}}
        return {"items": [{"index": gone if number % 3 == 1 else {"status": 200}}] * actions}


def test_an_index_that_another_thread_forgets_meanwhile_is_still_known(monkeypatch):
    server = Server()
    sink = SearchSink(Context(Settings(), search=server), {})
    server.numbers = iter([2, 3, 5])
    assert sink.write([write("one")])[0].outcome is Outcome.APPLIED
    asked = server.get_alias

    def get_alias(index: str) -> Any:
        monkeypatch.setattr(server, "get_alias", asked)
        assert sink.write([write("one")])[0].outcome is Outcome.RETRY  # this failure clears the cached indices
        return asked(index)

    monkeypatch.setattr(server, "get_alias", get_alias)
    results = sink.write([write("one"), write("two")])
    assert [result.outcome for result in results] == [Outcome.APPLIED] * 2


@pytest.fixture
def restless() -> Iterator[None]:
    """Make threads switch as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(work: Any) -> list[Any]:
    """Run `work` in several threads at once and return the results. Raises the exception of a thread."""
    with ThreadPoolExecutor(THREADS) as pool:
        return [one.result() for one in [pool.submit(work, number) for number in range(THREADS)]]


@pytest.mark.usefixtures("restless")
def test_threads_that_write_look_and_forget_indices_at_once_never_fail():
    sink = SearchSink(Context(Settings(), search=Server()), {})
    until = time.thread_time

    def work(number: int) -> set[Outcome]:
        writes = [write(f"index-{(number + n) % 5}") for n in range(3)]
        found: set[Outcome] = set()
        began = until()
        while until() - began < SECONDS:
            found |= {result.outcome for result in sink.write(writes)}
        return found

    for found in at_once(work):
        assert found == {Outcome.APPLIED, Outcome.RETRY}


@pytest.mark.usefixtures("restless")
def test_no_step_of_the_pace_is_lost():
    steps = 8_000
    pace = BulkSize(2 ** (THREADS * steps), 1)

    def work(number: int) -> None:
        for _ in range(steps):
            pace.busy()

    at_once(work)
    assert pace.actions == 1
