"""Documents beyond `reindex_inline`: tasks in the task queue, and the worker that makes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from builders import stream_record
from fakes import Bench, records
from hypothesis import given
from hypothesis import strategies as st
from shop_scene import Customers, Orders

from service import Context
from service.commands.backfill.task_checks import MOST_KEYS
from service.commands.backfill.tasks import TaskWorker
from service.model.backfill_task import TaskRecord
from service.model.outcomes import Outcome, Result
from service.model.reindex_task import ReindexTask
from service.pipeline import Delivery, Dispatcher
from service.routing import Router
from service.routing.queue_declarations import Queues
from service.settings import Settings
from service.sinks import reindex_queue
from service.sinks.reindex_queue import ReindexQueue
from service.sources.current_state import Lookups
from service.tables_in_memory import TablesInMemory

SIZE = 30
SHOP = {
    "customers": [{"id": "a", "name": "Ada"}],
    "orders": [{"PK": f"o{number:02}", "SK": "HEAD", "customer": "a"} for number in range(SIZE)],
}


CHANGE = stream_record("MODIFY", table="customers", keys={"id": "a"}, new={"id": "a"})


class Sqs:
    """A queue that collects messages. `failing` has the numbers of requests that fail."""

    def __init__(self) -> None:
        self.requests: list[list[Any]] = []
        self.failing: set[int] = set()
        self.found = 0

    def get_queue_url(self, QueueName: str) -> Any:
        assert QueueName == "tasks"
        self.found += 1
        return {"QueueUrl": "http://x/tasks"}

    def send_message_batch(self, QueueUrl: str, Entries: list[Any]) -> Any:
        if len(self.requests) in self.failing:
            self.failing.clear()
            return {"Failed": [{"Code": "InternalError"}]}
        assert len(Entries) <= 10
        assert sum(len(entry["MessageBody"]) for entry in Entries) <= 262_144
        self.requests.append([json.loads(entry["MessageBody"]) for entry in Entries])
        return {"Successful": Entries}

    @property
    def messages(self) -> list[Any]:
        return [message for request in self.requests for message in request]


class World:
    """A shop whose service makes ten documents by itself and sends the others to the task queue."""

    def __init__(self) -> None:
        self.sqs = Sqs()
        self.settings = Settings(task_queue="tasks", reindex_inline=10, index_lag=0.0)
        self.context = Context(self.settings, dynamodb=TablesInMemory(SHOP, page=7), sqs=self.sqs)
        self.router = Router([Orders(), Customers()])
        self.bench = Bench(Orders(), Customers(), context=self.context, truth=Lookups(self.context))
        self.bench.dispatcher._reindexing._queue = ReindexQueue(self.context, "tasks")  # as App does
        self.letters = self.bench.letters
        self.worker = TaskWorker(self, self.bench.dispatcher)

    def loader_of(self, routes: Sequence[Any], reread: bool = False) -> Dispatcher:
        return self.bench.dispatcher

    def into(self, index: str, other: str, letters: Any) -> Any:
        raise NotImplementedError

    def rename(self) -> list[str]:
        return self.bench.outcomes(CHANGE)

    def work(self, *payloads: Any) -> list[Result]:
        carried = Queues(self.settings, self.router).carried("tasks")
        return list(
            self.worker.run(Delivery([carried.judged(one) for one in records(*payloads)], "queue")).results
        )


@pytest.fixture
def world() -> World:
    return World()


def test_the_rest_of_the_documents_is_made_by_workers(world: World, monkeypatch):
    monkeypatch.setattr(reindex_queue, "KEYS", 6)
    assert world.rename() == ["APPLIED"]
    assert sorted(world.bench.documents) == [f"o{number:02}" for number in range(10)]
    assert [len(message["keys"]) for message in world.sqs.messages] == [6, 6, 6, 2]
    route = "shop_scene:Orders"
    assert world.bench.observer.reindexed_documents == [(route, 20, True), (route, 10, False)]
    assert {result.outcome.name for result in world.work(*world.sqs.messages)} == {"APPLIED"}
    assert sorted(world.bench.documents) == [f"o{number:02}" for number in range(SIZE)]
    assert len({write.version for write in world.bench.index.sent}) == 1


def test_messages_are_small_enough_for_one_request(world: World, monkeypatch):
    monkeypatch.setattr(reindex_queue, "KEYS", 1)
    world.rename()
    assert [len(request) for request in world.sqs.requests] == [10, 10]
    assert world.sqs.found == 1


def test_a_message_has_at_most_so_many_bytes_of_keys(world: World, monkeypatch):
    monkeypatch.setattr(reindex_queue, "BYTES", 60)
    world.rename()
    assert {len(message["keys"]) for message in world.sqs.messages} == {3, 2}


def test_a_record_is_retried_if_the_queue_refuses_a_task(world: World):
    world.sqs.failing = {0}
    (result,) = world.bench.dispatch(CHANGE).results
    assert result.reason.endswith("queue tasks rejected reindex tasks (InternalError)")
    assert world.rename() == ["APPLIED"]
    assert len(world.sqs.messages) == 1


def test_a_task_is_redelivered_until_all_its_documents_are_made(world: World):
    world.rename()
    world.bench.index.forced = {"o15": [Result(Outcome.RETRY, "503", 503)]}
    (result,) = world.work(*world.sqs.messages)
    assert result.outcome is Outcome.RETRY
    (result,) = world.work(*world.sqs.messages)
    assert result.outcome is Outcome.APPLIED
    assert len(world.bench.documents) == SIZE


TASK = {
    "streamdex-reindex": 1,
    "route": "shop_scene:Orders",
    "keys": [{"PK": {"S": "o01"}}],
    "created": 1,
    "sequence": "1",
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"streamdex-reindex": 2}, "unknown format of a reindex task"),
        ({"streamdex-reindex": True}, "unknown format of a reindex task"),
        ({"route": "other:Route"}, "which this process does not have"),
        ({"route": "shop_scene:Customers"}, "whose documents are made of one item"),
        ({"route": {"a": 1}}, "which this process does not have"),
        ({"keys": []}, "keys that are not keys of its table"),
        ({"keys": [{"PK": {"S": "x"}}] * (MOST_KEYS + 1)}, "keys that are not keys of its table"),
        ({"keys": None}, "has no route or no keys"),
        ({"keys": [{"PK": {"N": "1"}}]}, "keys that are not keys of its table"),
        ({"keys": [{"PK": {"S": 1}}]}, "keys that are not keys of its table"),
        ({"keys": [{"SK": {"S": "x"}}]}, "keys that are not keys of its table"),
        ({"keys": [{"PK": {"S": "x"}, "other": {"S": "x"}}]}, "keys that are not keys of its table"),
        ({"keys": ["x"]}, "keys that are not keys of its table"),
        ({"created": "now"}, "a time that is not a number"),
        ({"sequence": "1" * 41}, "a sequence number of more than 40 characters"),
        ({"sequence": 1}, "a sequence number of more than 40 characters"),
    ],
)
def test_a_task_that_cannot_be_carried_out_is_a_dead_letter(world: World, change, reason):
    (result,) = world.work(TASK | change)
    assert result.outcome is Outcome.REJECTED
    assert reason in result.reason
    assert world.bench.index.sent == []


def test_a_task_from_another_queue_is_a_dead_letter(world: World):
    (record,) = records(TASK)
    assert isinstance(record, TaskRecord)
    assert not record.queue
    report = world.worker.run(Delivery([record], "queue"))
    assert report.results[0].outcome is Outcome.REJECTED


def test_a_forged_time_is_no_version(world: World):
    (result,) = world.work(TASK | {"created": 3_000_000_000, "sequence": ""})
    assert result.outcome is Outcome.APPLIED
    assert [write.version for write in world.bench.index.sent] == [0]


@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=3), st.dictionaries(st.sampled_from("SN"), st.text(max_size=3)), max_size=2
        )
    ),
    st.none() | st.floats(0, 2**31),
    st.text(max_size=5),
)
def test_a_task_says_the_same_once_it_is_read(keys, created, sequence):
    task = ReindexTask("a:B", tuple(keys), created, sequence)
    assert ReindexTask.read(json.loads(json.dumps(task.payload))) == task
