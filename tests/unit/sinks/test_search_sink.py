"""Bulk requests of the search sink: bounded and versioned. One bad action does not fail the others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bulk_client import Client, sink, write
from opensearchpy.exceptions import ConnectionError as Unreached
from opensearchpy.exceptions import ConnectionTimeout, NotFoundError, RequestError, TransportError

from service import Delete
from service.context import Context
from service.deadline import Deadline, until
from service.errors import Halt, LeaseLost, UnexpectedAnswer
from service.model.outcomes import NOT_SENT, OUT_OF_TIME, Lasting
from service.pipeline import Outcome
from service.settings import Settings
from service.sinks.opensearch import SearchSink


def test_every_action_carries_an_external_version_deletes_too():
    client = Client()
    sink(client).write([write("a"), write("b", action=Delete())])
    lines = [json.loads(line) for line in client.bodies[0].splitlines()]
    meta = {"_index": "items", "require_alias": True, "version": 7, "version_type": "external_gte"}
    assert lines == [{"index": {**meta, "_id": "a"}}, {"n": 1}, {"delete": {**meta, "_id": "b"}}]


def test_requests_are_bounded_in_actions_and_in_bytes():
    client = Client()
    sink(client, bulk_actions=2).write([write(str(n)) for n in range(5)])
    assert client.requests == [["0", "1"], ["2", "3"], ["4"]]
    client = Client()
    sink(client, bulk_bytes=2048).write([write(str(n), {"text": "x" * 1500}) for n in range(3)])
    assert client.requests == [["0"], ["1"], ["2"]]


TOO_LONG = {"type": "action_request_validation_exception", "reason": "id [x] is too long"}
UNKNOWN = {"type": "lunar_exception", "reason": "the moon is full"}


@pytest.mark.parametrize(
    ("status", "error", "ends"),
    [
        (400, TOO_LONG, ("REJECTED", None)),
        (413, "too large", ("REJECTED", None)),
        (400, UNKNOWN, ("RETRY", Lasting.HALT)),
    ],
)
def test_one_action_that_sinks_the_request_is_found_and_the_others_are_written(status, error, ends):
    def refuse(ids):
        if "bad" in ids:
            raise RequestError(status, "?", {"error": error, "status": status})

    results = sink(Client(refuse)).write([write(name) for name in ("a", "b", "bad", "c", "d")])
    assert [r.outcome.name for r in results] == ["APPLIED", "APPLIED", ends[0], "APPLIED", "APPLIED"]
    assert (results[2].status, results[2].lasting) == (status, ends[1])


@pytest.mark.parametrize(
    "error",
    [
        Unreached("N/A", "refused", Exception()),
        TransportError(503, "down", {}),
        TransportError(429, "busy", "text"),
        UnexpectedAnswer("odd"),
    ],
)
def test_a_request_that_may_succeed_later_is_tried_again_whole(error):
    def refuse(ids):
        raise error

    client = Client(refuse)
    results = sink(client).write([write("a"), write("b")])
    assert [r.outcome for r in results] == [Outcome.RETRY, Outcome.RETRY]
    assert len(client.requests) == 1


def test_a_missing_endpoint_halts():
    def refuse(ids):
        raise NotFoundError(404, "no handler", {})

    with pytest.raises(Halt, match="SEARCH_URL"):
        sink(Client(refuse)).write([write("a")])


def failing(*poison: str, status: int = 500):
    """Return a `refuse` that raises for each request that contains one of these ids."""

    def refuse(ids: list[str]) -> None:
        if set(poison) & set(ids):
            raise TransportError(status, "internal error", {})

    return refuse


def ended(client: Client, names: str, **settings: Any) -> dict[str, tuple[str, int | None]]:
    results = sink(client, **settings).write([write(name) for name in names])
    return {name: (result.outcome.name, result.status) for name, result in zip(names, results, strict=True)}


def test_a_document_that_makes_the_server_fail_is_found_and_the_others_are_written():
    found = ended(Client(failing("c")), "abcdefgh")
    assert found.pop("c") == ("RETRY", 500)
    assert {outcome for outcome, _ in found.values()} == {"APPLIED"}


def test_a_server_that_fails_altogether_is_asked_three_times_and_no_document_is_to_blame():
    client = Client(failing(*"abcdefgh"))
    assert set(ended(client, "abcdefgh").values()) == {("RETRY", None)}
    assert len(client.requests) == 3


@pytest.mark.parametrize(
    "error", [TransportError(503, "down", {}), Unreached("TIMEOUT", "slow", Exception("slow"))]
)
def test_requests_get_smaller_when_the_server_does_not_cope_until_one_alone_is_to_blame(error):
    def refuse(ids: list[str]) -> None:
        if "c" in ids:
            raise error

    client = Client(refuse)
    writer = sink(client, bulk_actions=8)
    names = list("abcdefgh")
    for _ in range(12):
        results = writer.write([write(name) for name in names])
        names = [n for n, result in zip(names, results, strict=True) if result.outcome is Outcome.RETRY]
    assert names == ["c"]
    assert results[0].status in (503, 504)


def test_a_server_that_is_down_is_not_asked_again_and_again_for_one_batch():
    client = Client(failing(*"abcdefghijklmnop", status=503))
    assert {outcome for outcome, _ in ended(client, "abcdefghijklmnop", bulk_actions=2).values()} == {"RETRY"}
    assert len(client.requests) == 3


@pytest.mark.parametrize("lasts", range(4))
def test_the_fence_is_asked_before_each_request(lasts):
    client, left = Client(exists=False), iter(range(lasts))

    def fence() -> None:
        if next(left, None) is None:
            raise LeaseLost("taken over")

    context = Context(Settings(bulk_actions=1), search=client)
    with pytest.raises(LeaseLost):
        SearchSink(context, {}).write([write("a"), write("b")], fence)
    sent = [len(client.looks), len(client.created), len(client.requests)]
    assert sent == [[0, 0, 0], [1, 0, 0], [2, 1, 0], [2, 1, 1]][lasts]


@pytest.mark.parametrize(
    ("names", "sent"), [("ABcDEfGH", 8), ("aBcDeFgH", 8), ("aBCDefgh", 4), ("ABCdefgh", 3), ("abcdefgh", 8)]
)
def test_a_batch_waits_for_its_next_try_after_three_failures_in_a_row(names, sent):
    def refuse(ids):
        if ids[0].isupper():
            raise ConnectionTimeout("TIMEOUT", "no answer", TimeoutError())

    client = Client(refuse)
    results = sink(client, bulk_actions=1).write([write(name) for name in names])
    assert [ids for (ids,) in client.requests] == list(names[:sent])
    assert [result is NOT_SENT for result in results] == [False] * sent + [True] * (len(names) - sent)
    assert [result.outcome is Outcome.APPLIED for result in results[:sent]] == [n.islower() for n in names[:sent]]


@pytest.mark.parametrize(
    ("left", "status", "late"), [(29.0, None, True), (31.0, None, False), (29.0, 503, False), (31.0, 503, False)]
)
def test_a_server_that_had_less_than_half_of_its_time_is_not_blamed_for_its_silence(left, status, late):
    def refuse(ids):
        if status:
            raise TransportError(status, "busy", {})
        raise ConnectionTimeout("TIMEOUT", "no answer", TimeoutError())

    with until(Deadline(lambda: left)):
        (result,) = sink(Client(refuse), search_timeout=60.0).write([write("a")])
    assert (result is OUT_OF_TIME) is late
