"""A redrive of all dead letters. It stops at once if every one of them would fail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from builders import stream_record
from fakes import Bench, Items, Truth, records

from service.commands.dead_letters.redrive import AT_ONCE, redrive, redrive_queue
from service.commands.dead_letters.selection import Filter
from service.context import Context
from service.errors import Halt, Unreachable
from service.model.outcomes import APPLIED
from service.model.serializer import typed
from service.pipeline import DeadLetter, Delivery, Outcome, Report, Result
from service.sinks.dead_letters import DeadLetterFolder, DeadLetterQueue
from service.sinks.dead_letters.held_messages import VISIBILITY_TIMEOUT

WHY = Result(Outcome.REJECTED, "bad")
DOWN = Result(Outcome.RETRY, "the search server does not answer")
REFUSED = Result(Outcome.REJECTED, "mapping", 400)


def letters(count: int, route: str = "r") -> list[DeadLetter]:
    raws = [stream_record(new={"id": f"i{n}"}, sequence=str(n)) for n in range(count)]
    return [DeadLetter(record, route, WHY) for record in records(*raws)]


class Server:
    """A search server that returns `answer` or `forced` results. `asked` holds the sizes of its bulk requests."""

    def __init__(self, answer: Result = APPLIED, **forced: Sequence[Result]):
        self.answer = answer
        self.forced = {name: list(results) for name, results in forced.items()}
        self.asked: list[int] = []

    def write(self, writes: Sequence[Any], fence: Any = None, prefetch: Any = None) -> list[Result]:
        self.asked.append(len(writes))
        return [self.forced[w.id].pop(0) if self.forced.get(w.id) else self.answer for w in writes]


def bench(server: Server, count: int) -> Bench:
    items = {f"i{n}": typed({"id": f"i{n}", "n": n}) for n in range(count)}
    return Bench(Items(), index=server, truth=Truth(items), always=True, tries=True)


def of(made: Bench) -> Any:
    return lambda route: made.dispatcher if route == "r" else None


def test_a_server_that_is_down_is_tried_once_and_everything_stays(tmp_path):
    box, server = DeadLetterFolder(tmp_path), Server(DOWN)
    made = bench(server, 3 * AT_ONCE)
    box.store(letters(3 * AT_ONCE))
    redriven = redrive(box, Filter(), of(made))
    assert isinstance(redriven.stopped, Unreachable)
    assert "does not answer" in str(redriven.stopped)
    assert (sum(server.asked), made.pauses) == (AT_ONCE, [])
    assert redriven.ends == {"retry": AT_ONCE}
    assert (redriven.complete, box.count()) == (False, 3 * AT_ONCE)


def test_a_halt_keeps_what_was_counted_and_stops(tmp_path):
    box = DeadLetterFolder(tmp_path)
    box.store(letters(AT_ONCE + 1))
    made = bench(Server(), AT_ONCE + 1)
    halting = SimpleNamespace(run=_once_then_halt(made))
    redriven = redrive(box, Filter(), lambda route: halting)
    assert isinstance(redriven.stopped, Halt)
    assert redriven.ends == {"applied": AT_ONCE}
    assert box.count() == 1


def _once_then_halt(made: Bench) -> Any:
    calls = iter([made.dispatcher.run])

    def run(delivery: Delivery) -> Report:
        for call in calls:
            return call(delivery)
        raise Halt("no index")

    return run


def test_letters_go_in_batches_and_one_that_fails_is_retried_alone(tmp_path):
    box, server = DeadLetterFolder(tmp_path), Server(i7=[DOWN, DOWN])
    box.store(letters(2 * AT_ONCE + 20))
    redriven = redrive(box, Filter(), of(bench(server, 2 * AT_ONCE + 20)))
    assert redriven.ends == {"applied": 2 * AT_ONCE + 20}
    assert redriven.complete
    assert sorted(server.asked) == [1, 1, 20, AT_ONCE, AT_ONCE]
    assert box.count() == 0


@pytest.mark.parametrize("answer", [APPLIED, REFUSED, Result(Outcome.STALE)])
def test_a_letter_that_fails_among_others_that_reach_the_server_stops_nothing(tmp_path, answer):
    box, server = DeadLetterFolder(tmp_path), Server(answer, i7=[DOWN] * 500)
    box.store(letters(AT_ONCE + 20))
    redriven = redrive(box, Filter(), of(bench(server, AT_ONCE + 20)))
    assert redriven.stopped is None
    assert redriven.ends.total() == AT_ONCE + 20
    assert not redriven.complete
    assert box.count() == (1 if answer is not REFUSED else AT_ONCE + 20)


def test_letters_of_a_route_that_is_gone_stay_and_stop_nothing(tmp_path):
    box = DeadLetterFolder(tmp_path)
    box.store([*letters(3), *letters(2, "gone")])
    redriven = redrive(box, Filter(), of(bench(Server(), 3)))
    assert redriven.ends == {"applied": 3, "kept: no route gone is registered": 2}
    assert redriven.stopped is None
    assert box.count() == 2


class Queue:
    """A standard queue with its own clock. A receive takes `seconds`.

    A message that is not deleted is redelivered once it is visible.
    """

    exceptions = SimpleNamespace(QueueDoesNotExist=KeyError)

    def __init__(self, seconds: float = 2.0) -> None:
        self.now = 0.0
        self.seconds = seconds
        self.messages: dict[str, tuple[str, float]] = {}

    def clock(self) -> float:
        return self.now

    def get_queue_url(self, QueueName):
        return {"QueueUrl": "u"}

    def send_message(self, QueueUrl, MessageBody):
        self.messages[str(len(self.messages))] = MessageBody, 0.0

    def receive_message(self, VisibilityTimeout, **_):
        self.now += self.seconds
        found = [(name, body) for name, (body, until) in self.messages.items() if until <= self.now][:10]
        for name, body in found:
            self.messages[name] = body, self.now + VisibilityTimeout
        return {"Messages": [{"MessageId": n, "ReceiptHandle": n, "Body": body} for n, body in found]}

    def delete_message_batch(self, QueueUrl, Entries):
        for entry in Entries:
            self.messages.pop(entry["ReceiptHandle"], None)

    def change_message_visibility_batch(self, QueueUrl, Entries):
        for entry in Entries:
            name = entry["ReceiptHandle"]
            if name in self.messages:
                self.messages[name] = self.messages[name][0], self.now + entry["VisibilityTimeout"]

    def get_queue_attributes(self, QueueUrl, AttributeNames):
        visible = sum(until <= self.now for _, until in self.messages.values())
        counts = (visible, len(self.messages) - visible)
        return {"Attributes": dict(zip(AttributeNames, map(str, counts), strict=True))}


def queue_of(count: int, sqs: Queue) -> DeadLetterQueue:
    box = DeadLetterQueue(Context(sqs=sqs), "q", None, monotonic=sqs.clock)
    box.store(letters(count))
    return box


@pytest.mark.parametrize("count", [150, 1000])
@pytest.mark.parametrize("twice", [False, True])
def test_all_letters_of_a_queue_are_redriven_however_long_that_takes(count, twice):
    sqs = Queue()
    box = queue_of(count, sqs)
    if twice:
        box.store(letters(count))
    redriven = redrive(box, Filter(), of(bench(Server(), count)))
    assert redriven.ends == {"applied": count}
    assert (redriven.complete, sqs.messages) == (True, {})


def test_letters_that_stay_are_shown_once_however_long_a_look_takes():
    sqs = Queue(seconds=20.0)
    box = queue_of(300, sqs)
    ids = [kept.id for kept in box.read()]
    assert sqs.now > 4 * VISIBILITY_TIMEOUT
    assert len(ids) == len(set(ids)) == 300
    assert box.count() == 300
    assert len([*box.read()]) == 300


def test_a_redrive_that_stops_gives_the_letters_of_a_queue_back_and_counts_them():
    sqs = Queue()
    box = queue_of(250, sqs)
    redriven = redrive(box, Filter(), of(bench(Server(DOWN), 250)))
    assert isinstance(redriven.stopped, Unreachable)
    assert all(until <= sqs.now for _, until in sqs.messages.values())
    assert box.count() == 250


def test_a_queue_that_may_not_be_counted_is_not_counted(caplog):
    sqs = Queue()
    sqs.get_queue_attributes = lambda **_: 1 / 0
    assert queue_of(1, sqs).count() is None
    assert "could not count dead letters" in caplog.text


class Batches:
    """The messages of a dead-letter queue, in batches of ten."""

    def __init__(self, count: int):
        self.settled: list[Report] = []
        found = [letter.record for letter in letters(count)]
        self.batches = [found[at : at + 10] for at in range(0, count, 10)]

    def __iter__(self):
        for some in self.batches:
            yield SimpleNamespace(delivery=Delivery(some, "queue q"), settle=self.settled.append)


def test_the_dead_letter_queue_of_a_queue_is_tried_once_where_the_server_is_down():
    server, messages = Server(DOWN), Batches(50)
    made = bench(server, 50)
    redriven = redrive_queue(messages, made.dispatcher)
    assert isinstance(redriven.stopped, Unreachable)
    assert (server.asked, made.pauses) == ([10], [])
    assert [len(report.undone) for report in messages.settled] == [10]


def test_the_dead_letter_queue_of_a_queue_is_redriven_whole():
    server, messages = Server(i3=[DOWN]), Batches(50)
    redriven = redrive_queue(messages, bench(server, 50).dispatcher)
    assert redriven.ends == {"applied": 50}
    assert redriven.complete
    assert json.dumps(redriven.ends)
