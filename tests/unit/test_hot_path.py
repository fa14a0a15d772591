"""The cost of a record, in function calls. It has no clock, so it is the same on every machine.

`make bench` measures time. This test detects a log line, a copy or a lock for each record.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from traceback import walk_stack
from types import FrameType, SimpleNamespace
from typing import Any, ClassVar

import pytest

import service
from benchmarks import work
from service import TableRoute
from service.clients.search.response_reader import read_answer
from service.entrypoints.lambda_handler import handler_for

MOST = 104
"""Maximum calls for a small record of nine attributes, from the event to the response."""

SERVICE = str(Path(service.__file__).parent)

MOST_OF_OURS = (25, 11, 136, 164)
"""Maximums for one record: service modules, stack depth at the bulk request, distinct functions, and calls."""


def ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(SERVICE)


class Search:
    """A search server that accepts every request."""

    indices = SimpleNamespace(get_alias=lambda index: {index.rstrip("*"): {"aliases": {}}})

    def bulk(self, body: bytes) -> Any:
        lines = body.count(b'\n{"index":') + body.count(b'\n{"delete":') + 1
        return read_answer('{"took":1,"errors":false,"items":[' + '{"index":{"status":200}},' * lines + "]}")

    def close(self) -> None:
        pass


class Items(TableRoute):
    table: ClassVar = work.TABLE
    key: ClassVar = {"id": "S"}
    index: ClassVar = "bench"

    def document(self, item):
        return item


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path):
    monkeypatch.setattr("service.context.make_search_client", lambda settings: Search())
    monkeypatch.setattr(
        "service.sinks.opensearch.search_sink.SEEN_FOR", math.inf
    )  # no lookup of aliases while calls are counted
    monkeypatch.setenv("SEARCH_URL", "http://search.test")
    monkeypatch.setenv("STREAMDEX_DEAD_LETTERS", str(tmp_path / "letters"))


def profile(handler: Any, event: Any, note: Callable[[FrameType, str], object]) -> None:
    """Handle an event twice, and report each call of the second time to `note`."""
    handler(event, None)
    before = sys.getprofile()
    sys.setprofile(lambda frame, kind, what: note(frame, kind))
    try:
        answer = handler(event, None)
    finally:
        sys.setprofile(before)
    assert answer == {"batchItemFailures": []}


def calls(handler: Any, event: Any) -> int:
    """Return the number of function calls that handle an event, including functions in C."""
    counted: Counter[str] = Counter()
    profile(handler, event, lambda frame, kind: counted.update([kind]))
    return counted["call"] + counted["c_call"]


def calls_for_each_record(handler: Any) -> float:
    few, many = work.event(100, "small"), work.event(400, "small")
    return (calls(handler, many) - calls(handler, few)) / 300


def test_a_record_is_worth_so_many_calls_and_no_more():
    assert calls_for_each_record(handler_for(Items)) <= MOST


def test_a_record_is_worth_as_many_calls_among_a_thousand_routes():
    others = [type(f"Items{n}", (Items,), {"table": f"other-{n}", "index": f"other-{n}"}) for n in range(999)]
    assert calls_for_each_record(handler_for(Items, *others)) == calls_for_each_record(handler_for(Items))


def test_records_of_a_large_batch_are_worth_hardly_more():
    handler = handler_for(Items)
    large, larger = work.event(2000, "small"), work.event(4000, "small")
    assert (calls(handler, larger) - calls(handler, large)) / 2000 <= 1.1 * MOST


def test_a_record_crosses_few_modules_and_functions(monkeypatch):
    deep: list[int] = []

    class Watched(Search):
        def bulk(self, body: bytes) -> Any:
            deep.append(sum(ours(frame) for frame, _ in walk_stack(sys._getframe(1))))
            return super().bulk(body)

    monkeypatch.setattr("service.context.make_search_client", lambda settings: Watched())
    modules: set[str] = set()
    functions: Counter[str] = Counter()

    def note(frame: FrameType, kind: str) -> None:
        if kind == "call" and ours(frame):
            modules.add(frame.f_code.co_filename)
            functions[f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}"] += 1

    profile(handler_for(Items), work.event(1, "small"), note)
    counts = (len(modules), deep[-1], len(functions), functions.total())
    assert all(count <= most for count, most in zip(counts, MOST_OF_OURS, strict=True)), counts
