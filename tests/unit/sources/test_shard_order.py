"""Reading order of shards: each shard in its own order, after its parent, and after the streams before it."""

from __future__ import annotations

import math
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from stream_model import StreamModel
from stream_poller import DAY, Poller, family, position, root

from service.checkpoints.stores import ENDED, LATEST, TRIM_HORIZON
from service.context import Context
from service.pipeline import Outcome, Report, Result
from service.settings import Settings
from service.sources.dynamodb_streams import StreamSource
from service.sources.dynamodb_streams.shard_discovery import LAG
from service.sources.dynamodb_streams.shard_lineage import ABSENT, Verdict, unrecorded, verdict
from service.sources.dynamodb_streams.stream_listing import Shard
from service.timing import Timing


class Always(set):
    """Numbers of records that fail for ever."""

    def discard(self, number):
        pass


def test_every_record_of_every_shard_is_read_parents_before_children(checkpoints):
    model = StreamModel()
    shards, numbers = family(model)
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(numbers))
    assert poller.seen.index(numbers[1]) < min(poller.seen.index(number) for number in numbers[2:])
    assert poller.seen.index(numbers[3]) < poller.seen.index(numbers[6])
    assert sorted(poller.seen) == numbers
    assert position(checkpoints, model, shards[0]) == ENDED


@pytest.mark.parametrize(
    ("start", "positions"),
    [
        (TRIM_HORIZON, {"open": TRIM_HORIZON, "closed": TRIM_HORIZON}),
        (LATEST, {"open": LATEST, "closed": ENDED}),
    ],
)
def test_new_shards_are_read_from_the_start_and_recorded_ones_stay(start, positions):
    listed = [Shard("known", "", False), Shard("open", "", False), Shard("closed", "", True)]
    assert unrecorded(listed, {"known"}, start) == positions


OPEN, CLOSED = Shard("a", "", False), Shard("a", "", True)


@pytest.mark.parametrize(
    ("shard", "facts", "decided"),
    [
        (None, {"absent": ABSENT - 1}, Verdict.WAIT),
        (None, {"absent": ABSENT}, Verdict.END),
        (OPEN, {"missing": True}, Verdict.READ_ON),
        (CLOSED, {"missing": True, "has_children": True}, Verdict.READ_ON),
        (OPEN, {"waited_enough": True, "confirmed": True}, Verdict.READ_ON),
        (CLOSED, {"confirmed": True}, Verdict.WAIT),
        (CLOSED, {"has_children": True}, Verdict.CONFIRM),
        (CLOSED, {"has_children": True, "confirmed": True}, Verdict.END),
        (CLOSED, {"waited_enough": True, "confirmed": True}, Verdict.END),
        (OPEN, {"has_children": True, "confirmed": True}, Verdict.END),
    ],
)
def test_the_list_of_shards_decides_whether_an_end_is_final(shard, facts, decided):
    usual = {"missing": False, "confirmed": False, "absent": 0, "has_children": False, "waited_enough": False}
    assert verdict(shard, **usual | facts) is decided


def test_a_child_whose_parent_was_never_seen_is_read(checkpoints):
    model = StreamModel()
    (child,) = model.split(root(model), 1)
    model.now += DAY + 1
    numbers = model.write(child, 2)
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(numbers))


def test_a_child_that_is_not_listed_for_a_while_still_waits_for_its_parent(checkpoints):
    model = StreamModel()
    numbers = model.write(root(model), 1)
    (child,) = model.split(root(model), 1)
    later = model.write(child, 1)
    poller = Poller(model, checkpoints)
    poller.failing = Always(numbers)
    poller.run(poller.has_seen(numbers))
    child.visible_at = math.inf
    poller.run_for(300)
    assert set(poller.seen) == set(numbers)
    child.visible_at, poller.failing = 0, set()
    poller.run(poller.has_seen(later))


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
    poller.run_for(LAG + 200)
    asked, describe_stream = set(), model.describe_stream

    def asking(StreamArn: str, **page: str) -> Any:
        asked.add(StreamArn)
        return describe_stream(StreamArn, **page)

    model.describe_stream = asking
    poller.run_for(300)
    assert asked == {model.streams[-1].arn}


def test_a_stream_that_is_enabled_anew_waits_for_a_record_of_the_old_one(checkpoints):
    model = StreamModel()
    old = model.write(root(model), 1)
    poller = Poller(model, checkpoints)
    poller.failing = Always(old)
    poller.run(poller.has_seen(old))
    model.disable()
    model.enable()
    new = model.write(root(model), 1)
    poller.run_for(300)
    assert set(poller.seen) == set(old)
    poller.failing = set()
    poller.run(poller.has_seen(new))


def test_a_table_that_was_made_anew_is_read(checkpoints):
    model = StreamModel()
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 1)))
    model.streams.clear()
    model.enable()
    poller.run(poller.has_seen(model.write(root(model), 1)))


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
