"""The end of work before a Lambda timeout: unstarted work is redelivered, and finished work stays finished."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from builders import s3_record, stream_record
from contexts import Countdown, failing_search, no_time_left
from contexts.failing_search import FailingSearch
from fakes import Bench, Items, Uploads, records

from service import Context, Index, TableRoute
from service.deadline import RESERVE, deadline_of, out_of_time, request_time, time_left, until
from service.pipeline import Delivery, Outcome
from service.pipeline.rereads import Rereads
from service.retry_policy import RetryPolicy
from service.routing import IndexDeclaration
from service.settings import Settings
from service.sinks.dynamodb import ItemSink
from service.sinks.opensearch import SearchSink
from service.sources.current_state import Lookups


class Spending:
    """Clients whose requests each take some seconds of an invocation."""

    def __init__(self, countdown: Countdown, seconds: float):
        self.requests = 0
        self.indices = SimpleNamespace(get_alias=lambda index: {"items-000001": {"aliases": {"items": {}}}})
        self._countdown = countdown
        self._seconds = seconds

    def spend(self) -> None:
        self.requests += 1
        self._countdown.spend(self._seconds)

    def bulk(self, body: bytes) -> Any:
        self.spend()
        return {"items": [{"index": {"status": 200}} for line in body.splitlines() if b"_id" in line]}

    def head_object(self, **_: Any) -> Any:
        self.spend()
        return {"ETag": '"e"', "ContentLength": 3, "LastModified": datetime(2026, 11, 22, tzinfo=UTC)}

    def put_item(self, **_: Any) -> Any:
        self.spend()
        return {}

    def batch_get_item(self, RequestItems: Any) -> Any:
        self.spend()
        return {"Responses": {}}


CHANGES = [stream_record(new={"id": f"k{number}"}, sequence=f"1{number:020d}") for number in range(6)]
UPLOADS = [s3_record(f"{number}.jpg") for number in range(6)]


def outcomes(bench: Bench, context: Context, *raws: Any) -> list[str]:
    deadline = deadline_of(context.parent)
    report = bench.dispatcher.run(Delivery(records(*raws), "test", deadline=deadline, invocation=context.parent))
    return [result.outcome.name for result in report.results]


def lasting(left: float, seconds: float, **settings: Any) -> tuple[Spending, Context]:
    countdown = Countdown(left)
    client = Spending(countdown, seconds)
    return client, Context(Settings(**settings), parent=countdown, search=client, s3=client, dynamodb=client)


def test_documents_that_there_is_no_time_for_come_again():
    client, context = lasting(9.0, 2.0, bulk_actions=1)
    sink = SearchSink(context, {"items": IndexDeclaration("items")})
    bench = Bench(Items(), index=sink, context=context)
    assert outcomes(bench, context, *CHANGES) == ["APPLIED"] * 4 + ["RETRY"] * 2
    assert client.requests == 4


def test_items_that_there_is_no_time_for_come_again():
    client, context = lasting(9.0, 2.0)
    bench = Bench(Uploads(), table=ItemSink(context), context=context)
    assert outcomes(bench, context, *UPLOADS) == ["APPLIED"] * 4 + ["RETRY"] * 2
    assert client.requests == 4


def test_objects_that_there_is_no_time_to_look_at_come_again():
    client, context = lasting(9.0, 2.0)
    bench = Bench(Uploads(), context=context)
    bench.dispatcher._rereads = Rereads(Lookups(context), 1800.0)
    assert outcomes(bench, context, *UPLOADS) == ["RETRY"] * 6  # the routes had no time left, so none is written
    assert client.requests == 4
    assert bench.table.sent == []


def test_routes_that_there_is_no_time_to_ask_are_not_asked():
    countdown = Countdown(9.0)

    class Slow(TableRoute):
        table: ClassVar = "images"
        key: ClassVar = {"id": "S"}
        index: ClassVar = "items"
        asked: ClassVar[list[str]] = []

        def insert(self, record, context):
            self.asked.append(record.keys["id"])
            countdown.spend(2.0)
            return [Index({})]

    context = Context(parent=countdown)
    assert outcomes(Bench(Slow(), context=context), context, *CHANGES) == ["APPLIED"] * 4 + ["RETRY"] * 2
    assert Slow.asked == ["k0", "k1", "k2", "k3"]


def test_time_is_that_of_the_thread_s_own_invocation_and_endless_after_it():
    countdown = Countdown(10.0)
    with until(deadline_of(countdown).with_reserve()):
        assert not out_of_time()
        countdown.spend(9.0)
        assert out_of_time()
        with ThreadPoolExecutor() as other:
            assert not other.submit(out_of_time).result()
    assert not out_of_time()


@pytest.mark.parametrize("left", [0.05, 1.0, 3.0])
def test_a_function_of_few_seconds_works_all_the_same(left):
    bench = Bench(Items())
    assert outcomes(bench, Context(parent=Countdown(left)), *CHANGES) == ["APPLIED"] * 6
    assert outcomes(bench, no_time_left(), CHANGES[0]) == ["APPLIED"]


class Late(FailingSearch):
    """A search server that answers after some seconds of the invocation, or whose client times out before."""

    def __init__(self, countdown: Countdown, seconds: float):
        super().__init__(503)
        self._countdown, self._seconds = countdown, seconds

    def bulk(self, body: bytes) -> Any:
        self._countdown.spend(min(self._seconds, request_time(30.0), max(time_left(), 0.0)))
        return super().bulk(body)


@pytest.mark.parametrize("seconds", [5.0, 15.0, 1000.0])
@pytest.mark.parametrize("left", [30.0, 60.0])
def test_a_function_answers_in_time_however_late_the_search_server_answers(left, seconds):
    countdown = Countdown(left)
    context = Context(parent=countdown, search=Late(countdown, seconds))
    sink = SearchSink(context, {"items": IndexDeclaration("items")})
    bench = Bench(Items(), index=sink, context=context)
    bench.dispatcher._retry_policy = RetryPolicy(
        1000.0, clock=lambda: left - countdown.left, sleep=countdown.spend, chance=lambda: 1.0
    )
    assert outcomes(bench, context, *CHANGES) == ["RETRY"] * 6
    assert countdown.left >= RESERVE - 0.01


def test_a_failing_search_server_is_not_tried_again_beyond_the_time_left():
    context = failing_search()
    sink = SearchSink(context, {"items": IndexDeclaration("items")})
    bench = Bench(Items(), index=sink, context=context, tries=True)
    report = bench.dispatcher.run(Delivery(records(*CHANGES), deadline=deadline_of(Countdown(3.0))))
    assert {result.outcome for result in report.results} == {Outcome.RETRY}
    assert context.search.requests == 1
    assert json.dumps(report.counts()) == '{"retry": 6}'
