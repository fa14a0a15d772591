"""Writes to the copies of an index: retries while a copy fails, and abandoned copies, which lose their alias."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from builders import stream_record
from fakes import records
from opensearchpy.exceptions import ConnectionError as Unreached
from opensearchpy.exceptions import NotFoundError, TransportError

from service import Delete, Index
from service.context import Context
from service.pipeline import SILENT, Outcome, Write
from service.settings import Settings
from service.sinks.opensearch import SearchSink
from service.sinks.opensearch.index_copies import RETRY_FOR, Copies

OK: dict[str, Any] = {"status": 200}
BUSY = {"status": 429, "error": {"type": "rejected_execution_exception", "reason": "busy"}}
BLOCKED = {"status": 403, "error": {"type": "cluster_block_exception", "reason": "index [books-000002] blocked"}}
REFUSED = {"status": 400, "error": {"type": "strict_dynamic_mapping_exception", "reason": "[x] is not allowed"}}
DROPPED = {
    "status": 400,
    "error": {
        "type": "illegal_argument_exception",
        "reason": "no write index is defined for alias [books-000002]. The write index may be explicitly disabled",
    },
}


class Client:
    """A search server with an index and its copy. `answers` maps a document id, or "*", to the copy's result."""

    aliases: ClassVar = {"books-000001": {"books": {}}, "books-000002": {"books--also": {}, "books--new": {}}}

    def __init__(self) -> None:
        self.state = {index: {"aliases": dict(of)} for index, of in self.aliases.items()}
        self.answers: dict[str, Any] = {}
        self.changes: list[Any] = []
        self.fault: Exception | None = None
        self.written: list[tuple[str, str]] = []
        self.indices = SimpleNamespace(get_alias=lambda index: self.state, update_aliases=self.update_aliases)

    def update_aliases(self, body: Any) -> None:
        if self.fault:
            raise self.fault
        self.changes += body["actions"]

    def bulk(self, body: bytes) -> Any:
        metas = [next(iter(line.values())) for line in map(json.loads, body.splitlines()) if "_id" in str(line)]
        items = []
        for meta in metas:
            answer = self.answers.get(meta["_id"], self.answers.get("*", OK))
            answer = answer if meta["_index"] == "books-000002" else OK
            if isinstance(answer, Exception):
                raise answer
            self.written += [(meta["_index"], meta["_id"])] if answer is OK else []
            items.append({"index": answer})
        return {"items": items}


class Bench:
    def __init__(self) -> None:
        self.client, self.now = Client(), 0.0
        context = Context(Settings(), search=self.client)
        self.sink = SearchSink(context, {}, clock=lambda: self.now)
        self.sink._copies = Copies(context, SILENT, self.sink._send_copies, clock=lambda: self.now)

    def write(self, *names: str) -> list[Any]:
        (record,) = records(stream_record(new={"id": "a"}))
        writes = [Write(record, Index({"n": 1}), "books", name, 7) for name in names]
        return self.sink.write(writes)

    def outcomes(self, *names: str) -> list[str]:
        return [result.outcome.name for result in self.write(*names)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


GIVEN_UP = [{"remove": {"index": "books-000002", "alias": "books--also"}}]


@pytest.mark.parametrize(
    "trouble", [BUSY, BLOCKED, TransportError(503, "down", {}), Unreached("TIMEOUT", "slow", Exception("slow"))]
)
def test_a_copy_in_trouble_for_a_minute_is_not_given_up_and_lacks_nothing_afterwards(bench: Bench, trouble):
    bench.client.answers["*"] = trouble
    for bench.now in (0.0, 2.0, 5.0, 30.0, 60.0):
        (result,) = bench.write("a")
        assert result.outcome is Outcome.RETRY
        assert "books-000002" in result.reason
        assert result.status is None  # a status would blame the document
    bench.client.answers.clear()
    assert bench.outcomes("a") == ["APPLIED"]
    assert ("books-000002", "a") in bench.client.written
    assert bench.client.changes == []


def test_a_copy_in_trouble_for_long_is_given_up_and_no_record_waits_for_it_any_longer(bench: Bench):
    bench.client.answers["*"] = BLOCKED
    assert bench.outcomes("a") == ["RETRY"]
    for bench.now in (RETRY_FOR / 2, RETRY_FOR - 1):
        assert bench.outcomes("a", "b") == ["RETRY", "RETRY"]
    bench.now = RETRY_FOR
    assert bench.outcomes("a", "b") == ["APPLIED", "APPLIED"]
    assert bench.client.changes == GIVEN_UP


def test_one_document_that_a_copy_never_takes_ends_it_though_it_takes_others(bench: Bench):
    bench.client.answers["poison"] = BUSY
    for bench.now in (0.0, 100.0, 200.0):
        assert bench.outcomes("a", "poison") == ["APPLIED", "RETRY"]
        assert bench.outcomes("b") == ["APPLIED"]
    bench.now = RETRY_FOR
    assert bench.outcomes("poison") == ["APPLIED"]
    assert bench.client.changes == GIVEN_UP


def test_a_record_that_another_process_had_meanwhile_has_all_its_time_again(bench: Bench):
    bench.client.answers["*"] = BUSY
    bench.write("a")
    bench.now = 10 * RETRY_FOR
    assert bench.outcomes("a") == ["RETRY"]
    assert bench.client.changes == []


def test_what_a_copy_refuses_for_good_ends_it_at_once(bench: Bench, caplog):
    bench.client.answers["a"] = REFUSED
    assert bench.outcomes("a", "b") == ["APPLIED", "APPLIED"]
    assert bench.client.changes == GIVEN_UP
    assert "a copy has missed a write" in caplog.text


@pytest.mark.parametrize("fault", [TransportError(503, "down", {}), NotFoundError(404, "aliases_not_found", {})])
def test_no_write_is_done_while_it_is_not_marked_that_the_copy_lacks_it(bench: Bench, fault):
    """Otherwise the process could end, and the incomplete copy could replace the index. It may already be live."""
    bench.client.answers["a"] = REFUSED
    bench.client.fault = fault
    assert bench.outcomes("a", "b") == ["RETRY", "RETRY"]
    bench.client.fault = None
    assert bench.outcomes("a", "b") == ["APPLIED", "APPLIED"]
    assert bench.client.changes == GIVEN_UP


def test_a_write_to_a_copy_that_was_dropped_meanwhile_looks_again(bench: Bench):
    bench.client.answers["*"] = DROPPED
    assert bench.outcomes("a") == ["RETRY"]
    bench.client.state = {"books-000001": {"aliases": {"books": {}, "books-000002": {"is_write_index": False}}}}
    assert bench.outcomes("a") == ["APPLIED"]
    assert bench.client.changes == []


def test_a_delete_that_a_copy_has_not_taken_is_retried_too(bench: Bench):
    bench.client.answers["*"] = BUSY
    (record,) = records(stream_record(new={"id": "a"}))
    (result,) = bench.sink.write([Write(record, Delete(), "books", "a", 7)])
    assert result.outcome is Outcome.RETRY
