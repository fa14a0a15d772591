"""The stream source: it reads all records from the checkpoint on, parents before children, despite any faults.

The streams are models with a virtual clock, which advances when no job is due.
"""

from __future__ import annotations

import math
import os
import random
import time
import weakref
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from itertools import pairwise
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_model import ModelShard, StreamModel

from service.checkpoints.stores import ENDED, TRIM_HORIZON, Checkpoint, SqliteCheckpoints
from service.context import Context
from service.errors import Halt, LeaseLost, Retry
from service.pipeline import Lag, Observer, Outcome, Report, Result
from service.settings import Settings
from service.sources.dynamodb_streams import StreamSource
from service.sources.dynamodb_streams.shard_reader import ShardReader
from service.sources.dynamodb_streams.stream_status import CLOSED, READING, WAITING
from service.sources.dynamodb_streams.stream_status import ENDED as OVER
from service.telemetry.logs import LoggingObserver
from service.timing import Timing

DAY = 24 * 3600.0
HISTORIES = int(os.environ.get("STREAMDEX_HISTORIES", "20"))
"""Number of random stream histories. The heavier tier runs thousands."""


class Poller:
    """A process that reads the streams of a table. `seen` has the numbers of its delivered records, in order."""

    def __init__(self, model: StreamModel, checkpoints: Any, **options: Any):
        self.model = model
        self.seen: list[int] = []
        self.failing: set[int] = set()
        self.absent = options.pop("absent", {})
        self.unanswered = 0
        self.last: weakref.ref[Any] | None = None
        self._stopping = Event()
        self._until: Callable[[], bool] = lambda: False
        self._patience = 0.0
        context = Context(Settings(**options), dynamodb=model, dynamodb_streams=model)
        self.source = StreamSource(
            context,
            "images",
            checkpoints,
            self._stopping,
            observer=LoggingObserver(),
            timing=Timing(lambda: model.now, lambda: model.now, self._wait, lambda: 0.5),
            absences=self._absences,
        )

    def run(self, until: Callable[[], bool], within: float = 3600.0) -> None:
        """Read until `until()` is true, for at most `within` seconds of the model's clock."""
        self._until, self._patience = until, self.model.now + within
        self._stopping.clear()
        for batch in self.source:
            if batch.delivery.prefetch is not None:
                batch.delivery.prefetch()
            results = []
            for record in batch.records:
                number = int(record.identifier)
                self.seen.append(number)
                results.append(Result(Outcome.RETRY if number in self.failing else Outcome.APPLIED, "busy"))
                self.failing.discard(number)
            batch.settle(Report(results))
            self.last = weakref.ref(batch)
            del batch
            if until():
                return
        assert until(), "stuck"

    def wait_for(self, seconds: float) -> None:
        """Stop the iteration of the source after `seconds` of the model's clock."""
        self._until, self._patience = lambda: False, self.model.now + seconds
        self._stopping.clear()

    def run_for(self, seconds: float) -> None:
        """Read for `seconds` of the model's clock."""
        end = self.model.now + seconds
        self.run(lambda: self.model.now >= end, seconds + 1)

    def has_seen(self, numbers: Collection[int]) -> Callable[[], bool]:
        return lambda: set(numbers) <= set(self.seen)

    def _absences(self) -> dict[str, int]:
        if self.unanswered:
            self.unanswered -= 1
            raise Retry("the search server does not answer")
        return dict(self.absent)

    def _wait(self, condition: Any, seconds: float) -> None:
        self.model.now += max(seconds, 0.001)
        if self._until() or self.model.now > self._patience:
            self._stopping.set()


@pytest.fixture
def checkpoints(tmp_path):
    store = SqliteCheckpoints(tmp_path / "c.sqlite", "group")
    yield store
    store.close()


def root(model: StreamModel) -> ModelShard:
    return next(iter(model.streams[-1].shards.values()))


def position(checkpoints: Any, model: StreamModel, shard: ModelShard) -> str:
    return checkpoints.read(model.streams[-1].arn)[shard.id].position


def family(model: StreamModel) -> tuple[list[ModelShard], list[int]]:
    """Return a shard, its two children and a grandchild, with two records each, and all numbers in order."""
    shards, numbers = [root(model)], model.write(root(model), 2)
    children = model.split(shards[0])
    for child in children:
        numbers += model.write(child, 2)
    (grandchild,) = model.split(children[0], 1)
    return [*shards, *children, grandchild], numbers + model.write(grandchild, 2)


def test_every_record_of_every_shard_is_read_parents_before_children(checkpoints):
    model = StreamModel()
    shards, numbers = family(model)
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(numbers))
    assert poller.seen.index(numbers[1]) < min(poller.seen.index(number) for number in numbers[2:])
    assert poller.seen.index(numbers[3]) < poller.seen.index(numbers[6])
    assert sorted(poller.seen) == numbers
    assert position(checkpoints, model, shards[0]) == ENDED


def test_a_child_whose_parent_was_never_seen_is_read(checkpoints):
    model = StreamModel()
    (child,) = model.split(root(model), 1)
    model.now += DAY + 1
    numbers = model.write(child, 2)
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(numbers))


def test_reading_goes_on_after_the_checkpoint(checkpoints):
    model = StreamModel()
    first = model.write(root(model), 3)
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(first))
    second = model.write(root(model), 2)
    again = Poller(model, checkpoints)
    again.run(again.has_seen(second))
    assert again.seen == second


def test_a_parent_counts_as_ended_only_once_its_children_are_recorded(checkpoints):
    model = StreamModel(lag=300.0)
    numbers = model.write(root(model), 2)
    children = model.split(root(model))
    late = model.write(children[1], 1)
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(numbers))
    poller.run_for(200)
    assert position(checkpoints, model, root(model)) == f"{numbers[-1]:021d}"
    poller.run(poller.has_seen(late))
    assert position(checkpoints, model, root(model)) == ENDED
    restarted = Poller(model, checkpoints, start_at="LATEST")
    restarted.run_for(100)
    assert restarted.seen == []


def test_the_last_shards_of_a_stream_that_is_disabled_end_without_children(checkpoints):
    model = StreamModel()
    numbers = model.write(root(model), 2)
    model.disable()
    poller = Poller(model, checkpoints)
    poller.run(lambda: position(checkpoints, model, root(model)) == ENDED)
    assert poller.seen == numbers


def test_a_stream_that_is_enabled_anew_is_read_after_the_old_one_and_said(checkpoints, caplog):
    model = StreamModel()
    old = model.write(root(model), 5)
    model.disable()
    model.enable()
    new = model.write(root(model), 2)
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(new))
    assert poller.seen == old + new
    assert "the table has a new stream" in caplog.text


def test_a_table_that_was_made_anew_is_read(checkpoints):
    model = StreamModel()
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 1)))
    model.streams.clear()
    model.enable()
    poller.run(poller.has_seen(model.write(root(model), 1)))


def test_a_record_that_has_to_come_again_comes_with_everything_after_it(checkpoints):
    model = StreamModel(page=3)
    one, two, three, four = numbers = model.write(root(model), 4)
    poller = Poller(model, checkpoints)
    poller.failing = {two}
    poller.run(lambda: len(poller.seen) == 6)
    assert poller.seen == [one, two, three, two, three, four]
    assert position(checkpoints, model, root(model)) == f"{numbers[-1]:021d}"


def test_the_checkpoint_never_passes_a_record_that_has_to_come_again(checkpoints):
    model = StreamModel(page=3)
    one, two, three = model.write(root(model), 3)
    poller = Poller(model, checkpoints)
    poller.failing = {two}
    poller.run(lambda: poller.seen == [one, two, three])
    assert position(checkpoints, model, root(model)) == f"{one:021d}"


def test_an_iterator_that_expires_is_renewed_at_the_last_position(checkpoints):
    model = StreamModel()
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 3)))
    model.now += 1000
    numbers = model.write(root(model), 2)
    poller.run(poller.has_seen(numbers))
    assert poller.seen[-2:] == numbers
    assert len(poller.seen) == 5


def test_an_iterator_that_expires_after_latest_leaves_out_nothing(checkpoints):
    model = StreamModel()
    model.write(root(model), 1)
    poller = Poller(model, checkpoints, start_at="LATEST")
    poller.run_for(10)
    model.now += 1000
    poller.run(poller.has_seen(model.write(root(model), 1)))


def test_throttling_loses_nothing_and_is_answered_with_growing_pauses(checkpoints):
    model = StreamModel()
    _, numbers = family(model)
    model.throttled = 10
    poller = Poller(model, checkpoints)
    before = model.now
    poller.run(poller.has_seen(numbers))
    assert model.now - before > 10


def test_what_fails_with_one_shard_holds_up_no_other(checkpoints, caplog):
    model = StreamModel()
    bad, good = model.split(root(model))
    numbers = model.write(good, 4)
    model.write(bad, 1)
    get_records = model.get_records

    def refuse(ShardIterator: str, Limit: int) -> Any:
        if model._iterators[ShardIterator][1] is bad:
            raise ClientError({"Error": {"Code": "ValidationException"}}, "GetRecords")
        return get_records(ShardIterator, Limit)

    model.get_records = refuse
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(numbers))
    poller.run(poller.has_seen(model.write(good, 1)), within=5)
    assert "halted" in caplog.text


def assert_one_reader_each(poller: Poller) -> None:
    """Assert that each shard and each listing has only one job."""
    due = [turn for _, _, turn in poller.source._schedule._due]
    jobs = [(turn.token, turn.name) for turn in due if turn.stream is None or not turn.stream.retired]
    assert len(jobs) == len(set(jobs))


@pytest.mark.parametrize("call", ["GetRecords", "GetShardIterator"])
@pytest.mark.parametrize("times", [1, 3, 30])
def test_a_shard_that_passes_for_missing_is_read_on_while_it_is_listed(checkpoints, caplog, call, times):
    model = StreamModel(page=10)
    poller = Poller(model, checkpoints)
    first = model.write(root(model), 3)
    poller.run(poller.has_seen(first))
    model.hiccups["GetRecords"], model.hiccups[call] = 1, times
    poller.run(lambda: not model.hiccups["GetRecords"])
    second = model.write(root(model), 2)
    model.now += 50
    assert "does not exist" in poller.source.trouble
    assert poller.source.lag().unread >= 50
    (child,) = model.split(root(model), 1)
    third = model.write(child, 1)
    poller.run(poller.has_seen([*second, *third]), within=times * 31.0 + 10.0)
    assert poller.seen == [*first, *second, *third]
    poller.run_for(60)
    assert poller.source.trouble == ""
    assert lost(caplog) == []
    assert_one_reader_each(poller)


@pytest.mark.parametrize("times", [1, 10])
def test_a_stream_that_passes_for_missing_has_one_reader_of_each_shard(checkpoints, caplog, times):
    model = StreamModel(page=10)
    poller = Poller(model, checkpoints, poll_interval=1.0)
    first = model.write(root(model), 3)
    poller.run(poller.has_seen(first))
    model.hiccups["DescribeStream"] = times
    poller.run(lambda: model.hiccups["DescribeStream"] < times)
    assert "does not exist" in poller.source.trouble
    second = model.write(root(model), 3)
    poller.run_for(times * 31.0)
    assert poller.seen == [*first, *second]
    assert poller.source.trouble == ""
    assert_one_reader_each(poller)
    model.calls.clear()
    poller.run_for(100)
    assert model.calls.count("GetRecords") <= 101
    assert lost(caplog) == []


@pytest.mark.parametrize("iterator", [None, ""])
@pytest.mark.parametrize("times", [1, 5])
def test_an_open_shard_without_a_next_iterator_is_read_on(checkpoints, caplog, iterator, times):
    model = StreamModel(page=10)
    poller = Poller(model, checkpoints)
    first = model.write(root(model), 3)
    model.endings = [iterator] * times
    poller.run(poller.has_seen(first))
    second = model.write(root(model), 2)
    poller.run(poller.has_seen(second), within=400)
    assert poller.seen == [*first, *second]
    assert position(checkpoints, model, root(model)) == f"{second[-1]:021d}"
    assert "end of the shard, but DescribeStream does not" in str([vars(record) for record in caplog.records])
    assert lost(caplog) == []


def test_a_shard_that_one_listing_leaves_out_is_not_given_up(checkpoints, caplog):
    model = StreamModel(page=10)
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 3)))
    model.hiccups["GetRecords"] = 1
    root(model).visible_at = model.now + 2.0
    numbers = model.write(root(model), 2)
    poller.run(poller.has_seen(numbers))
    assert lost(caplog) == []


def times_of(log_text: Any) -> list[float]:
    return [datetime.fromisoformat(time).timestamp() for time in (log_text.since, log_text.until)]


@pytest.mark.parametrize("closes", [True, False])
def test_a_stream_that_was_off_is_noticed_within_a_minute_and_is_a_gap(checkpoints, caplog, closes):
    model = StreamModel(page=10)
    model.closes = closes
    poller = Poller(model, checkpoints)
    old = model.write(root(model), 3)
    poller.run(poller.has_seen(old))
    poller.run_for(100)
    off = model.now
    model.disable()
    poller.run(lambda: "disabled" in poller.source.trouble, within=60)
    model.now += 500
    on = model.now
    model.enable()
    new = model.write(root(model), 2)
    poller.run(poller.has_seen(new), within=60)
    (log_text,) = lost(caplog)
    since, until = times_of(log_text)
    assert off - 61 <= since <= off
    assert until == int(on)
    poller.run_for(1000)
    assert poller.source.trouble == ""
    assert poller.seen == [*old, *new]
    assert len(lost(caplog)) == 1
    again = Poller(model, checkpoints)
    again.run(again.has_seen(model.write(root(model), 1)))
    assert len(again.seen) == 1
    assert len(lost(caplog)) == 1


@pytest.mark.parametrize("closes", [True, False])
def test_a_stream_that_is_off_and_on_at_once_is_noticed_within_a_minute(checkpoints, caplog, closes):
    model = StreamModel(page=10)
    model.closes = closes
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 3)))
    poller.run_for(100)
    model.disable()
    model.enable()
    poller.run(poller.has_seen(model.write(root(model), 2)), within=60)
    assert len(lost(caplog)) == 1


def test_a_table_that_was_made_anew_is_noticed_within_a_minute_and_is_a_gap(checkpoints, caplog):
    model = StreamModel()
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 1)))
    poller.run_for(100)
    old, gone = model.streams[0].arn, model.now
    model.streams.clear()
    model.now += 0.4
    poller.run(lambda: "does not exist" in poller.source.trouble)
    model.now += 10
    model.enable()
    poller.run(poller.has_seen(model.write(root(model), 1)), within=60)
    (log_text,) = lost(caplog)
    since, until = times_of(log_text)
    assert gone - 61 <= since <= gone <= until
    assert checkpoints.read(old) == {}
    poller.run_for(100)
    assert poller.source.trouble == ""
    assert_one_reader_each(poller)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("start_at", ["TRIM_HORIZON", "LATEST"])
def test_a_stream_that_was_enabled_anew_while_nobody_read_is_a_gap(checkpoints, caplog, listed, start_at):
    model = StreamModel()
    poller = Poller(model, checkpoints, start_at=start_at)
    poller.run_for(1)
    poller.run(poller.has_seen(model.write(root(model), 1)))
    last = model.now
    model.disable()
    if not listed:
        model.streams.clear()
    model.now += 3600
    model.enable()
    numbers = model.write(root(model), 2)
    again = Poller(model, checkpoints, start_at=start_at)
    again.run(again.has_seen(numbers), within=60)
    (log_text,) = lost(caplog)
    assert times_of(log_text)[0] == int(last)


def test_positions_of_an_earlier_version_tell_which_stream_was_read(checkpoints, caplog):
    model = StreamModel()
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 1)))
    checkpoints.remove("streams of table images", "begun", 1)
    model.disable()
    model.enable()
    again = Poller(model, checkpoints)
    again.run(again.has_seen(model.write(root(model), 1)))
    assert len(lost(caplog)) == 1


def test_the_first_start_at_a_table_is_no_gap(checkpoints, caplog):
    model = StreamModel()
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 1)))
    poller.run_for(200)
    assert lost(caplog) == []


def lost(caplog: Any) -> list[Any]:
    return [record for record in caplog.records if record.message.startswith("records lost")]


def test_a_position_that_was_trimmed_goes_on_with_the_oldest_and_says_what_may_be_missed(checkpoints, caplog):
    model = StreamModel()
    poller = Poller(model, checkpoints)
    since = model.now
    poller.run(poller.has_seen(model.write(root(model), 1)))
    model.now += 3600
    missed = model.write(root(model), 1)
    model.now += DAY + 1
    until = model.now
    numbers = model.write(root(model), 1)
    again = Poller(model, checkpoints)
    again.run(again.has_seen(numbers))
    assert not set(missed) & set(again.seen)
    (log_text,) = lost(caplog)
    times = [datetime.fromisoformat(time).timestamp() for time in (log_text.since, log_text.until)]
    assert times == [int(since), int(until)]
    assert log_text.shard == root(model).id


def test_a_shard_that_expired_unread_is_told_and_its_children_are_read(checkpoints, caplog):
    model = StreamModel()
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 1)))
    model.write(root(model), 1)
    (child,) = model.split(root(model), 1)
    model.now += DAY + 10
    numbers = model.write(child, 1)
    again = Poller(model, checkpoints)
    again.run(again.has_seen(numbers))
    assert len(lost(caplog)) == 1


def test_shards_that_have_ended_are_forgotten_after_two_days(checkpoints):
    model = StreamModel()
    poller = Poller(model, checkpoints)
    parent = root(model)
    poller.run(poller.has_seen(model.write(parent, 1)))
    (child,) = model.split(parent, 1)
    (grandchild,) = model.split(child, 1)
    poller.run(poller.has_seen(model.write(grandchild, 1)))
    for _ in range(50):
        model.now += 3600
        poller.run(poller.has_seen(model.write(grandchild, 1)))
    poller.run_for(100)
    assert list(checkpoints.read(model.streams[-1].arn)) == [grandchild.id]
    (stream,) = poller.source._streams.streams
    assert parent.id not in str(vars(stream))


def test_latest_leaves_out_what_was_there_and_reads_shards_born_since_from_their_beginning(checkpoints):
    model = StreamModel()
    old = model.write(root(model), 2)
    (middle,) = model.split(root(model), 1)
    old += model.write(middle, 2)
    poller = Poller(model, checkpoints, start_at="LATEST")
    poller.run_for(10)
    numbers = model.write(middle, 1)
    (child,) = model.split(middle, 1)
    numbers += model.write(child, 2)
    poller.run(poller.has_seen(numbers))
    assert poller.seen == numbers


def test_a_restart_after_latest_leaves_out_nothing_that_came_since(checkpoints):
    model = StreamModel()
    Poller(model, checkpoints, start_at="LATEST").run_for(10)
    numbers = model.write(root(model), 2)
    again = Poller(model, checkpoints, start_at="LATEST")
    again.run(again.has_seen(numbers))


def test_what_has_to_come_again_is_told_without_an_item_s_values(checkpoints, caplog):
    model = StreamModel()
    model.write(root(model), 1)
    batch = next(iter(Poller(model, checkpoints).source))
    batch.settle(Report([Result(Outcome.RETRY, "no such colour: indigo", log_text="KeyError")]))
    (log_text,) = [record for record in caplog.records if record.message == "retrying"]
    assert log_text.reason == "KeyError"


class Steps(Observer):
    def __init__(self) -> None:
        self.decoded: list[Any] = []

    def step(self, kind: str, name: str, of: Any = ()) -> Any:
        self.decoded.append((kind, name, len(of)))
        return super().step(kind, name, of)


def test_decoding_is_a_step_where_there_is_something_to_decode(checkpoints):
    model, steps = StreamModel(page=10), Steps()
    model.write(root(model), 3)
    at = Checkpoint(TRIM_HORIZON, model.now)
    arn = model.streams[-1].arn
    reader = ShardReader(model, arn, root(model).id, checkpoints, at=at, limit=10, observer=steps)
    assert (len(reader.read()), len(reader.read())) == (3, 0)
    assert steps.decoded == [("decode", "table images", 3)]


def test_a_record_says_which_shard_it_was_read_from(checkpoints):
    model = StreamModel()
    model.write(root(model), 1)
    poller = Poller(model, checkpoints)
    (record,) = next(iter(poller.source)).records
    assert record.shard == root(model).id
    assert record.as_now(None, 1).shard == root(model).id


def test_a_shard_that_is_born_while_nobody_reads_is_read_from_its_beginning_also_after_latest(checkpoints):
    model = StreamModel()
    Poller(model, checkpoints, start_at="LATEST").run_for(10)
    (child,) = model.split(root(model), 1)
    numbers = model.write(child, 2)
    again = Poller(model, checkpoints, start_at="LATEST")
    again.run(again.has_seen(numbers))


def test_a_record_that_cannot_be_decoded_is_delivered_with_its_number(checkpoints):
    model = StreamModel()
    get_records = model.get_records

    def broken(**arguments: Any) -> Any:
        answer = get_records(**arguments)
        for record in answer["Records"]:
            del record["dynamodb"]["Keys"]
        return answer

    model.get_records = broken
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 1)))


def test_a_table_that_is_missing_or_has_no_stream_halts_with_the_remedy(checkpoints):
    def missing(TableName: str) -> Any:
        raise model.exceptions.ResourceNotFoundException

    model = StreamModel()
    model.streams.clear()
    for describe, remedy in ((missing, "Create it"), (model.describe_table, "NEW_AND_OLD_IMAGES")):
        model.describe_table = describe
        with pytest.raises(Halt, match=remedy):
            Poller(model, checkpoints, on_halt="exit").run_for(1)


def test_forbidden_calls_halt(checkpoints):
    model = StreamModel()

    def refuse(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetRecords")

    model.get_records = refuse
    with pytest.raises(Halt, match="permission"):
        Poller(model, checkpoints, on_halt="exit").run_for(1)


def test_an_idle_stream_is_asked_less_and_less_often_and_a_busy_one_at_once(checkpoints):
    model = StreamModel(page=10)
    poller = Poller(model, checkpoints, poll_interval=2.0, stream_batch_size=10)
    poller.run_for(60)
    asked = model.calls.count("GetRecords")
    assert 25 < asked < 45
    before = model.now
    poller.run(poller.has_seen(model.write(root(model), 1000)), within=10)
    assert model.now - before < 3


def test_what_was_read_is_let_go_while_another_thread_has_the_turn(checkpoints):
    model = StreamModel(page=2)
    model.write(root(model), 4)
    model.now += 60  # a shard that lags is read again at once
    poller = Poller(model, checkpoints)
    another, taken, began = iter(poller.source), [], model.now

    def let_go() -> bool:
        if poller.last is None:
            return False
        if not taken:
            taken.append(next(another))
        return poller.last() is None and model.now < began + 5

    poller.run(let_go, within=10)


class Trickle(Poller):
    """A poller with a sink that needs no time, and a shard that gets a record every 0.01 seconds."""

    def _wait(self, condition: Any, seconds: float) -> None:
        end = self.model.now + seconds
        while self.model.now < end:
            super()._wait(condition, min(end - self.model.now, 0.01))
            self.model.write(root(self.model), 1)


@pytest.mark.long(after=1)
@pytest.mark.parametrize(("poll_interval", "asked"), [(0.5, 10), (0.05, 20)])
def test_a_shard_that_gives_little_at_once_is_left_to_gather_more(checkpoints, poll_interval, asked):
    """The delay is at most the idle delay."""
    model = StreamModel(page=1000)
    poller = Trickle(model, checkpoints, poll_interval=poll_interval)
    poller.run_for(100)
    assert model.calls.count("GetRecords") == pytest.approx(100 * asked, rel=0.1)
    assert len(poller.seen) == pytest.approx(100 / 0.01, rel=0.05)


def test_pages_that_are_not_small_and_those_of_a_shard_that_is_behind_are_read_on_at_once(checkpoints):
    for page, age in ((10, 0.0), (2, 60.0)):
        model = StreamModel(page=page)
        poller = Poller(model, checkpoints, stream_batch_size=100, poll_interval=3.0)
        poller.run_for(10)
        numbers = model.write(root(model), 300)
        model.now += age
        before = model.now
        poller.run(poller.has_seen(numbers), within=30)
        assert model.now - before <= 3.01


def test_what_was_read_ahead_is_not_asked_for_again_unless_some_before_it_must_come_again(checkpoints):
    model = StreamModel(page=10)
    poller = Poller(model, checkpoints)
    numbers = model.write(root(model), 50)
    model.now += 60  # the shard lags
    poller.run(poller.has_seen(numbers))
    assert poller.seen == numbers
    assert model.calls.count("GetRecords") == 6  # the last one was a prefetch and returned no records
    more = model.write(root(model), 30)
    model.now += 60
    poller.failing = {more[12]}
    poller.run(poller.has_seen(more))
    assert poller.seen == [*numbers, *more[:20], *more[12:]]


def test_what_cannot_be_read_ahead_is_read_when_it_is_its_turn(checkpoints):
    model = StreamModel(page=10)
    poller = Poller(model, checkpoints)
    numbers = model.write(root(model), 30)
    model.now += 60
    first = next(iter(poller.source))
    model.throttled = 1
    first.delivery.prefetch()
    assert model.throttled == 0
    first.settle(Report([Result(Outcome.APPLIED)] * 10))
    poller.run(poller.has_seen(numbers[10:]))


def begun_again(caplog: Any) -> list[Any]:
    return [record for record in caplog.records if record.message.startswith("an index was missing")]


@pytest.mark.parametrize("start_at", ["TRIM_HORIZON", "LATEST"])
def test_where_the_index_was_missing_and_positions_are_not_at_the_beginning_it_begins_again(
    checkpoints, caplog, start_at
):
    model = StreamModel()
    shards, numbers = family(model)
    first = Poller(model, checkpoints)
    first.run(first.has_seen(numbers))
    first.run_for(700)
    again = Poller(model, checkpoints, start_at=start_at, absent={"images": 1, "other": 0})
    again.run(again.has_seen(numbers))
    again.run_for(700)
    assert sorted(again.seen) == numbers
    assert again.seen.index(numbers[1]) < min(again.seen.index(number) for number in numbers[2:])
    (log_text,) = begun_again(caplog)
    assert (log_text.source, log_text.indices) == ("table images", "images")
    assert lost(caplog) == []
    assert position(checkpoints, model, shards[0]) == ENDED
    third = Poller(model, checkpoints, absent={"images": 0})
    third.run_for(200)
    assert third.seen == []


def test_the_first_start_at_a_table_whose_index_is_missing_begins_where_it_is_told(checkpoints, caplog):
    model = StreamModel()
    model.write(root(model), 3)
    poller = Poller(model, checkpoints, start_at="LATEST", absent={"images": 1})
    poller.run_for(200)
    numbers = model.write(root(model), 1)
    poller.run(poller.has_seen(numbers))
    poller.run_for(200)
    assert poller.seen == numbers
    assert begun_again(caplog) == []


def test_an_index_that_goes_missing_while_its_table_is_read_has_it_read_again_once(checkpoints, caplog):
    model = StreamModel(page=10)
    poller = Poller(model, checkpoints, absent={"images": 0})
    numbers = model.write(root(model), 5)
    poller.run(poller.has_seen(numbers))
    for times in (1, 2):
        poller.absent = {"images": times}
        poller.run(lambda: poller.seen.count(numbers[-1]) > times, within=60)  # noqa: B023
        poller.run_for(200)
        assert poller.seen == numbers * (times + 1)
        assert len(begun_again(caplog)) == times
        assert_one_reader_each(poller)
    later = model.write(root(model), 1)
    poller.run(poller.has_seen(later))
    assert position(checkpoints, model, root(model)) == f"{later[-1]:021d}"


def test_a_batch_in_hand_does_not_move_the_position_of_a_table_that_begins_again(checkpoints):
    model = StreamModel(page=2)
    numbers = model.write(root(model), 4)
    poller = Poller(model, checkpoints, absent={"images": 0})
    batches = iter(poller.source)
    poller.wait_for(200.0)
    old = next(batches)
    poller.absent = {"images": 1}
    new = next(batches)
    assert [int(record.identifier) for record in new.records] == numbers[:2]
    old.settle(Report([Result(Outcome.APPLIED)] * 2))
    assert position(checkpoints, model, root(model)) == TRIM_HORIZON
    new.settle(Report([Result(Outcome.APPLIED)] * 2))
    poller.run(poller.has_seen(numbers[2:]))
    assert_one_reader_each(poller)


def test_a_table_that_begins_again_forgets_the_shards_that_its_stream_has_no_more(checkpoints, caplog):
    model = StreamModel()
    shards, numbers = family(model)
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(numbers))
    poller.run_for(DAY + 3700)
    later = model.write(shards[-1], 2)
    again = Poller(model, checkpoints, absent={"images": 1})
    again.run(again.has_seen(later))
    assert lost(caplog) == []
    assert shards[0].id not in checkpoints.read(model.streams[-1].arn)


def test_nothing_is_read_before_the_search_server_says_which_indices_are_missing(checkpoints):
    model = StreamModel()
    numbers = model.write(root(model), 2)
    poller = Poller(model, checkpoints)
    poller.unanswered = 3
    poller.run(lambda: not poller.unanswered)
    assert poller.seen == []
    poller.run(poller.has_seen(numbers))
    poller.unanswered = 100
    more = model.write(root(model), 2)
    poller.run(poller.has_seen(more), within=60)


class Held(dict):
    """A page or a record that weak references can track."""


class Weighed(StreamModel):
    """Streams that count their returned pages and records that are still in memory."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self._given: dict[str, weakref.WeakSet[Held]] = {"pages": weakref.WeakSet(), "records": weakref.WeakSet()}
        self.most: Counter[str] = Counter()

    def get_records(self, ShardIterator: str, Limit: int) -> Any:
        answer = Held(super().get_records(ShardIterator, Limit))
        answer["Records"] = [Held(record) for record in answer["Records"]]
        self._given["pages"].add(answer)
        for record in answer["Records"]:
            self._given["records"].add(record)
        for kind, there in self._given.items():
            self.most[kind] = max(self.most[kind], len(there))
        return answer


Held.__hash__ = object.__hash__  # type: ignore[assignment]
Held.__eq__ = object.__eq__  # type: ignore[assignment]


@pytest.mark.parametrize("shards", [10, 200])
def test_memory_is_bounded_by_threads_whatever_the_number_of_shards_that_are_behind(checkpoints, shards):
    model, workers, page = Weighed(page=100), 4, 5
    children = model.split(root(model), shards)
    for child in children:
        model.write(child, 16 * page)
    model.now += 600
    poller = Poller(model, checkpoints, stream_batch_size=page, poll_interval=1.0)
    threads = [iter(poller.source) for _ in range(workers)]
    first: dict[str, int] = {}
    poller.wait_for(100.0)
    turn, seen = 0, 0
    while seen < shards * 8 * page:  # half of all records
        in_hand = [next(thread) for thread in threads]
        for batch in in_hand:
            first.setdefault(batch.records[0].shard, turn)
            turn += 1
            if batch.delivery.prefetch is not None:
                batch.delivery.prefetch()
        for batch in in_hand:
            seen += len(batch.records)
            failing = turn % 40 == 39
            outcomes = [Result(Outcome.RETRY if failing else Outcome.APPLIED, "busy")] * len(batch.records)
            seen -= len(batch.records) if failing else 0
            batch.settle(Report(outcomes))
        del batch, in_hand
    assert model.most["pages"] <= 2 * workers + 1
    assert model.most["records"] <= (2 * workers + 1) * page
    assert len(first) == shards
    assert max(first.values()) < 5 * shards + 50  # no shard waits until others are read to their end


def test_a_write_after_a_pause_is_seen_with_the_next_look_and_those_after_it_soon(checkpoints):
    model = StreamModel()
    poller = Poller(model, checkpoints, poll_interval=1.0)
    poller.run_for(30)
    for _ in range(3):
        before = model.now
        poller.run(poller.has_seen(model.write(root(model), 1)), within=5)
        assert model.now - before <= 1.01
        before = model.now
        poller.run(poller.has_seen(model.write(root(model), 1)), within=5)
        assert model.now - before <= 0.11
        poller.run_for(30)


def test_listing_stays_far_below_the_limits_of_aws(checkpoints):
    model = StreamModel()
    Poller(model, checkpoints).run_for(3600)
    assert 50 < model.calls.count("DescribeStream") < 150
    assert 70 < model.calls.count("ListStreams") < 170  # each listing may take two pages


def test_shards_are_looked_for_however_long_a_closed_shard_lists_no_child(checkpoints):
    """There are 5,000 listings. Without a limit, the backoff would overflow a float after twelve hours."""
    model = StreamModel(page=100)
    poller = Poller(model, checkpoints, poll_interval=600.0)
    while model.calls.count("DescribeStream") < 5000:
        childless = model.open(model.streams[-1])
        model.write(childless)
        model.split(childless, 0)
        before = len(model.calls)
        poller.run_for(10 * 3600.0)
        assert 10 * 60 <= model.calls[before:].count("DescribeStream") <= 10 * 130
    assert poller.source.trouble == ""
    poller.run(poller.has_seen(model.write(root(model))), within=601.0)


class Described(StreamModel):
    """A stream that records the time and the start shard of each listing of its shards."""

    def __init__(self, shards: int, page: int):
        super().__init__(page=page)
        self.described: list[tuple[float, str]] = []
        self.children = self.split(root(self), shards)

    def describe_stream(self, StreamArn: str, ExclusiveStartShardId: str = "") -> Any:
        self.described.append((self.now, ExclusiveStartShardId))
        return super().describe_stream(StreamArn, ExclusiveStartShardId)


def test_pages_of_shards_are_asked_for_at_the_rate_that_aws_allows_while_others_are_read(checkpoints):
    model = Described(shards=99, page=2)
    poller = Poller(model, checkpoints)
    poller.run_for(0.5)
    assert 4 <= len(model.described) <= 6
    poller.run(poller.has_seen([model.write(child, 1)[0] for child in model.children]))
    pages = model.described[:50]
    assert len({place for _, place in pages}) == 50
    times = [at for at, _ in pages]
    assert min(after - before for before, after in pairwise(times)) > 0.099
    assert 4.8 <= times[-1] - times[0] <= 6
    model.described.clear()
    number = model.write(model.children[0], 1)
    poller.run(lambda: len(model.described) > 3, within=200)  # the next listing is in progress
    poller.run(poller.has_seen(number), within=0.5)
    assert len(model.described) < 40


def test_a_page_of_shards_that_was_throttled_is_asked_for_again_and_not_those_before_it(checkpoints):
    model = Described(shards=20, page=2)
    poller = Poller(model, checkpoints)
    poller.run(lambda: len(model.described) == 5)
    model.throttled = 3
    poller.run(poller.has_seen([model.write(child, 1)[0] for child in model.children]))
    places = [place for _, place in model.described[:14]]
    assert places[5:9] == [places[5]] * 4
    assert len(set(places)) == 11


def test_a_page_of_shards_that_is_refused_is_not_insisted_on(checkpoints):
    """For example, the start shard of the page no longer exists. Then all shards are listed again."""
    model = Described(shards=20, page=2)
    poller = Poller(model, checkpoints)
    poller.run(lambda: len(model.described) == 5)
    describe, refused = model.describe_stream, []

    def refuse(StreamArn: str, ExclusiveStartShardId: str = "") -> Any:
        if not refused:
            refused.append(ExclusiveStartShardId)
            raise ClientError({"Error": {"Code": "ValidationException"}}, "DescribeStream")
        return describe(StreamArn, ExclusiveStartShardId)

    model.describe_stream = refuse
    poller.run(poller.has_seen([model.write(child, 1)[0] for child in model.children]))
    assert refused != [""]
    assert model.described[5][1] == ""


def test_a_stop_need_not_wait_for_the_pages_of_shards_that_are_left(checkpoints):
    model = Described(shards=99, page=2)
    context = Context(Settings(), dynamodb=model, dynamodb_streams=model)
    stopping = Event()

    def wait(condition: Any, seconds: float) -> None:
        model.now += seconds
        if len(model.described) == 3:
            stopping.set()

    timing = Timing(lambda: model.now, lambda: model.now, wait)
    assert list(StreamSource(context, "images", checkpoints, stopping, timing=timing)) == []
    assert len(model.described) == 3


class Unwilling:
    """Checkpoints whose first `failures` writes fail."""

    def __init__(self, checkpoints: Any, failures: int):
        self.lease, self.read, self.claim = checkpoints.lease, checkpoints.read, checkpoints.claim
        self.remove = checkpoints.remove
        self.failures = failures
        self._write = checkpoints.write

    def write(self, *arguments: Any) -> bool:
        self.failures -= 1
        return self.failures < 0 and self._write(*arguments)


def test_nothing_is_read_from_the_end_of_a_stream_before_that_is_recorded(checkpoints):
    """Otherwise, the process that continues after a crash would start at the new end of the stream."""
    model = StreamModel()
    children = model.split(root(model), 4)
    unwilling = Unwilling(checkpoints, failures=1000)
    first = Poller(model, unwilling, start_at="LATEST")
    first.run_for(60)
    assert "GetShardIterator" not in model.calls
    old = model.write(children[3], 1)
    unwilling.failures = 3  # some shards are recorded and others are not
    first.run_for(60)
    assert len(checkpoints.read(model.streams[-1].arn)) == 5
    numbers = [model.write(child, 1)[0] for child in children]
    again = Poller(model, checkpoints, start_at="LATEST")
    again.run(again.has_seen(numbers))
    assert not set(old) & set(first.seen)


def test_a_shard_counts_as_ended_only_once_that_could_be_recorded(checkpoints):
    model = StreamModel()
    numbers = model.write(root(model), 1)
    unwilling = Unwilling(checkpoints, failures=0)
    poller = Poller(model, unwilling)
    poller.run(poller.has_seen(numbers))
    (child,) = model.split(root(model), 1)
    unwilling.failures = 5
    poller.run(poller.has_seen(model.write(child, 1)))
    assert position(checkpoints, model, root(model)) == ENDED
    assert unwilling.failures < 0


def test_several_threads_read_several_shards_at_once_and_each_in_its_order(checkpoints):
    model = StreamModel(page=1)
    shards = model.split(root(model), 3)
    numbers = {number for shard in shards for number in model.write(shard, 20)}
    stopping, seen, at_once, most = Event(), [], Counter(), []
    context = Context(Settings(poll_interval=0.01), dynamodb=model, dynamodb_streams=model)
    source = StreamSource(context, "images", checkpoints, stopping, timing=Timing(now=lambda: model.now))
    owners = {f"{number:021d}": shard.id for shard in shards for number, _ in shard.records}

    def work() -> None:
        for batch in source:
            shard = owners[batch.records[0].identifier]
            at_once[shard] += 1
            assert at_once[shard] == 1
            most.append(sum(at_once.values()))
            time.sleep(0.002)
            seen.extend((shard, int(record.identifier)) for record in batch.records)
            at_once[shard] -= 1
            batch.settle(Report([Result(Outcome.APPLIED)] * len(batch.records)))
            if len(seen) >= len(numbers):
                stopping.set()

    with ThreadPoolExecutor(source.workers) as pool:
        for worker in [pool.submit(work) for _ in range(source.workers)]:
            worker.result(30)
    assert {number for _, number in seen} == numbers
    for shard in shards:
        mine = [number for name, number in seen if name == shard.id]
        assert mine == sorted(mine)
    assert max(most) == 3


class Story:
    """Events of a stream and its readers, in an order that Hypothesis draws."""

    def __init__(self, checkpoints: Any, seed: int, lag: float, page: int):
        self.chance = random.Random(seed)
        self.model = StreamModel(self.chance, page=page, lag=lag)
        self.checkpoints = checkpoints
        self.poller = Poller(self.model, checkpoints, poll_interval=10.0)
        self.seen: list[int] = []
        self.written: set[int] = set()

    def write(self) -> None:
        for shard in self.model.living():
            numbers = self.model.write(shard, self.chance.randint(0, 5))
            self.written.update(numbers)
            self.poller.failing.update(n for n in numbers if self.chance.random() < 0.1)

    def split(self) -> None:
        if self.model.living():
            self.model.split(self.chance.choice(self.model.living()), self.chance.randint(1, 2))

    def throttle(self) -> None:
        self.model.throttled = self.chance.randint(1, 10)

    def read_a_little(self) -> None:
        self.poller.run_for(self.chance.choice([0.1, 5.0, 100.0]))

    def read_for_hours(self) -> None:
        self.poller.run_for(20_000.0)

    def be_denied(self) -> None:
        """Let AWS answer for a while that existing resources do not exist, or that an open shard has ended."""
        for call in ("GetRecords", "GetShardIterator", "DescribeStream"):
            self.model.hiccups[call] = self.chance.randint(0, 3)
        self.model.endings = [self.chance.choice([None, ""]) for _ in range(self.chance.randint(0, 3))]

    def enable_anew(self) -> None:
        if self.model.living():
            self.model.disable()
            self.model.enable()

    def crash(self) -> None:
        self.seen += self.poller.seen
        self.poller = Poller(self.model, self.checkpoints, poll_interval=10.0)

    def be_down_for_hours(self) -> None:
        self.crash()
        self.model.now += 20_000.0

    def finish(self) -> None:
        """Read to the end. Assert that all retained records were seen, parents before children."""
        stories = [shard for stream in self.model.streams for shard in stream.shards.values()]
        kept = {
            number for shard in stories for number, _ in self.model.kept(shard) if not self.model.expired(shard)
        }
        self.poller.run(lambda: kept <= {*self.seen, *self.poller.seen}, within=4 * 3600.0)
        assert_one_reader_each(self.poller)
        self.crash()
        first: dict[int, int] = {}
        for place, number in enumerate(self.seen):
            first.setdefault(number, place)
        assert set(first) <= self.written
        for stream in self.model.streams:
            for shard in stream.shards.values():
                if shard.parent:
                    self._assert_after(stream.shards[shard.parent], shard, first)

    def _assert_after(self, parent: ModelShard, child: ModelShard, first: dict[int, int]) -> None:
        before = [first[number] for number, _ in parent.records if number in first]
        after = [first[number] for number, _ in child.records if number in first]
        assert not before or not after or max(before) < min(after)


STEPS = [
    Story.write,
    Story.write,
    Story.split,
    Story.throttle,
    Story.be_denied,
    Story.read_a_little,
    Story.read_a_little,
    Story.read_for_hours,
    Story.enable_anew,
    Story.crash,
    Story.be_down_for_hours,
]


@settings(max_examples=HISTORIES, deadline=None)
@given(
    st.lists(st.sampled_from(STEPS), max_size=30),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 3.0, 500.0]),
    st.integers(1, 4),
)
def test_whatever_happens_every_record_that_is_kept_is_read_after_those_of_its_parent(steps, seed, lag, page):
    store = SqliteCheckpoints(":memory:", "group")
    story = Story(store, seed, lag, page)
    for step in steps:
        step(story)
    story.finish()
    store.close()


class Steered:
    """Checkpoints with a manual lease token."""

    def __init__(self, checkpoints: Any):
        self.now = 0
        self.lease = self
        self.read, self.claim = checkpoints.read, checkpoints.claim
        self.write, self.remove = checkpoints.write, checkpoints.remove

    def token(self) -> int:
        return self.now


def test_a_stand_by_reads_nothing_until_it_holds_the_lease_and_then_from_the_other_s_checkpoint(checkpoints):
    model = StreamModel()
    steered = Steered(checkpoints)
    stand_by = Poller(model, steered)
    active = Poller(model, checkpoints)
    active.run(active.has_seen(model.write(root(model), 3)))
    stand_by.run_for(100)
    assert stand_by.seen == []
    numbers = model.write(root(model), 2)
    steered.now = 7
    stand_by.run(stand_by.has_seen(numbers))
    assert stand_by.seen == numbers


class Noted:
    """Checkpoints that record the token of each call."""

    def __init__(self, steered: Steered):
        self.lease, self.read = steered, steered.read
        self.tokens: list[tuple[str, int]] = []
        for name in ("claim", "write", "remove"):
            setattr(self, name, partial(self._note, name, getattr(steered, name)))

    def _note(self, name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        self.tokens.append((name, arguments[-1]))
        return call(*arguments)


def test_a_stream_is_claimed_once_for_each_time_that_the_lease_is_had_and_written_with_its_token(checkpoints):
    model = StreamModel()
    steered = Steered(checkpoints)
    noted = Noted(steered)
    poller = Poller(model, noted)
    for token in (7, 9):
        steered.now = token
        poller.run(poller.has_seen(model.write(root(model), 3)))
        poller.run_for(100)
        assert noted.tokens[0] == ("claim", token)
        assert [name for name, _ in noted.tokens].count("claim") == 2  # of the table's streams and of the shards
        assert {used for _, used in noted.tokens} == {token}
        assert len(noted.tokens) > 2
        noted.tokens.clear()


def test_what_was_in_hand_when_the_lease_was_lost_is_neither_written_nor_read_on(checkpoints):
    model = StreamModel()
    steered = Steered(checkpoints)
    steered.now = 1
    numbers = model.write(root(model), 6)
    poller = Poller(model, steered)
    batches = iter(poller.source)
    batch = next(batches)
    batch.delivery.fence()
    steered.now = 0
    with pytest.raises(LeaseLost):
        batch.delivery.fence()
    steered.now = 2
    with pytest.raises(LeaseLost):
        batch.delivery.fence()
    poller.source.back(batch._job, len(batch.records))
    poller.run(poller.has_seen(numbers))
    assert poller.seen == numbers


def test_a_process_that_has_the_lease_again_reads_on_at_once(checkpoints):
    model = StreamModel()
    steered = Steered(checkpoints)
    steered.now = 1
    poller = Poller(model, steered)
    poller.run(poller.has_seen(model.write(root(model), 2)))
    numbers = model.write(root(model), 2)
    batches = iter(poller.source)
    poller.wait_for(10.0)
    assert next(batches)
    steered.now = 2
    batch = next(batches)
    assert [int(record.identifier) for record in batch.records] == numbers
    batch.settle(Report([Result(Outcome.APPLIED)] * 2))
    steered.now = 3
    numbers = model.write(root(model), 2)
    poller.run(poller.has_seen(numbers), within=10.0)


def test_a_table_is_as_far_behind_as_the_shard_that_is_most_behind(checkpoints):
    model = StreamModel()
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 1)))
    poller.run_for(5)
    assert poller.source.lag().unread == 0
    since = model.now
    numbers = model.write(root(model), 2)
    poller.failing = {numbers[1]}
    model.now += 600
    poller.run(poller.has_seen(numbers))
    lag = poller.source.lag()
    assert 600 <= lag.unread <= model.now - since + 1
    assert lag.left == DAY - lag.unread
    poller.run_for(60)
    assert poller.source.lag() == Lag(0.0, math.inf, 0.0)


def test_a_stand_by_is_not_behind(checkpoints):
    model = StreamModel()
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 1)))
    model.now += 600
    assert poller.source.lag().unread >= 600
    checkpoints.lease.token = lambda: 0
    assert poller.source.lag().unread == 0


def states(poller: Poller) -> dict[str, str]:
    status = poller.source.status()
    assert status is not None
    return {shard.id: shard.state for shard in status.shards}


def test_where_reading_each_shard_stands_can_be_looked_at(checkpoints):
    model = StreamModel(lag=300.0)
    poller = Poller(model, checkpoints)
    assert poller.source.status() is None
    first = root(model)
    numbers = model.write(first, 2)
    poller.run(poller.has_seen(numbers))
    (shard,) = poller.source.status().shards
    assert (shard.id, shard.parent, shard.state) == (first.id, "", READING)
    assert (int(shard.position), shard.time, shard.lag.unread) == (numbers[-1], model.now, 0.0)
    (child,) = model.split(first, 1)
    poller.run(lambda: states(poller) == {first.id: CLOSED})
    (grandchild,) = model.split(child, 1)
    poller.run(lambda: len(states(poller)) == 3)
    status = poller.source.status()
    assert (status.arn, status.leased) == (model.streams[-1].arn, True)
    parents = {one.id: one.parent for one in status.shards}
    assert parents == {first.id: "", child.id: first.id, grandchild.id: child.id}
    poller.run(lambda: states(poller) == {first.id: OVER, child.id: OVER, grandchild.id: READING})


def test_a_child_waits_for_its_parent(checkpoints):
    model = StreamModel()
    first = root(model)
    model.write(first, 4)
    (child,) = model.split(first, 1)
    poller = Poller(model, checkpoints)
    poller.run(lambda: bool(poller.seen))
    assert states(poller) == {first.id: READING, child.id: WAITING}


def test_a_process_that_lost_the_lease_says_that_another_reads(checkpoints):
    model = StreamModel()
    model.write(root(model))
    poller = Poller(model, checkpoints)
    poller.run(lambda: bool(poller.seen))
    poller.source.lease = SimpleNamespace(token=lambda: 0)
    assert not poller.source.status().leased
