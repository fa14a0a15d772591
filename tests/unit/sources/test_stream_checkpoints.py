"""Checkpoints of shards: where reading starts and continues, and when a shard is recorded as ended."""

from __future__ import annotations

from typing import Any

from stream_model import StreamModel
from stream_poller import Poller, position, root

from service.checkpoints.stores import ENDED


def test_reading_goes_on_after_the_checkpoint(checkpoints):
    model = StreamModel()
    first = model.write(root(model), 3)
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(first))
    second = model.write(root(model), 2)
    again = Poller(model, checkpoints)
    again.run(again.has_seen(second))
    assert again.seen == second


def test_the_checkpoint_never_passes_a_record_that_has_to_come_again(checkpoints):
    model = StreamModel(page=3)
    one, two, three = model.write(root(model), 3)
    poller = Poller(model, checkpoints)
    poller.failing = {two}
    poller.run(lambda: poller.seen == [one, two, three])
    assert position(checkpoints, model, root(model)) == f"{one:021d}"


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


def test_a_shard_that_is_born_while_nobody_reads_is_read_from_its_beginning_also_after_latest(checkpoints):
    model = StreamModel()
    Poller(model, checkpoints, start_at="LATEST").run_for(10)
    (child,) = model.split(root(model), 1)
    numbers = model.write(child, 2)
    again = Poller(model, checkpoints, start_at="LATEST")
    again.run(again.has_seen(numbers))


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
