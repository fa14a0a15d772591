"""Lag of a table's stream and status of its shards."""

from __future__ import annotations

import math
from types import SimpleNamespace

from stream_model import StreamModel
from stream_poller import DAY, Poller, root

from service.pipeline import Lag
from service.sources.dynamodb_streams.stream_status import CLOSED, READING, WAITING
from service.sources.dynamodb_streams.stream_status import ENDED as OVER


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
