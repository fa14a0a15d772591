"""Faults of DynamoDB Streams: expired iterators, throttling, shards and streams reported missing, halts."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from stream_model import StreamModel
from stream_poller import Poller, assert_one_reader_each, family, lost, position, root

from service.errors import Halt


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


@pytest.mark.parametrize("iterator", [None, ""])
def test_an_end_reported_before_the_shard_is_closed_is_confirmed_by_another_read(checkpoints, iterator):
    model = StreamModel(page=1)
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 1)))
    rest = model.write(root(model), 3)
    model.endings = [iterator]
    poller.run(poller.has_seen(rest[:1]))
    children = model.split(root(model))  # before the next listing, which then shows the shard as closed
    later = model.write(children[0], 1)
    poller.run(poller.has_seen([*rest, *later]), within=400)
    assert poller.seen[-3:] == [*rest[1:], *later]


def test_a_shard_that_one_listing_leaves_out_is_not_given_up(checkpoints, caplog):
    model = StreamModel(page=10)
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 3)))
    model.hiccups["GetRecords"] = 1
    root(model).visible_at = model.now + 2.0
    numbers = model.write(root(model), 2)
    poller.run(poller.has_seen(numbers))
    assert lost(caplog) == []


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
