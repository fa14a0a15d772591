"""Gaps in a stream: records lost while it was disabled or after they were trimmed are logged with their times."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from stream_model import StreamModel
from stream_poller import DAY, Poller, assert_one_reader_each, lost, root


def times_of(log_text: Any) -> list[float]:
    return [datetime.fromisoformat(time).timestamp() for time in (log_text.since, log_text.until)]


def started(checkpoints: Any) -> tuple[StreamModel, Poller]:
    """Return a table's stream, and a process that has read its first record."""
    model = StreamModel()
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 1)))
    return model, poller


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
    model, poller = started(checkpoints)
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
    model, _ = started(checkpoints)
    checkpoints.remove("streams of table images", "begun", 1)
    model.disable()
    model.enable()
    again = Poller(model, checkpoints)
    again.run(again.has_seen(model.write(root(model), 1)))
    assert len(lost(caplog)) == 1


def test_positions_of_an_earlier_version_go_on_where_they_are_whatever_start_at_says(checkpoints):
    model, _ = started(checkpoints)
    checkpoints.remove("streams of table images", "begun", 1)
    unread = model.write(root(model), 2)
    model.disable()
    model.enable()
    again = Poller(model, checkpoints, start_at="LATEST")
    again.run(again.has_seen([*unread, *model.write(root(model), 1)]))


def test_the_gap_after_a_stream_without_checkpoints_begins_when_it_was_begun(checkpoints, caplog):
    model, _ = started(checkpoints)
    begun = checkpoints.read("streams of table images")["begun"].time
    checkpoints.remove(model.streams[-1].arn, root(model).id, 1)
    model.now += 3600
    model.streams.clear()
    model.enable()
    again = Poller(model, checkpoints)
    again.run(again.has_seen(model.write(root(model), 1)))
    assert [times_of(log_text)[0] for log_text in lost(caplog)] == [int(begun)]


def test_the_first_start_at_a_table_is_no_gap(checkpoints, caplog):
    _, poller = started(checkpoints)
    poller.run_for(200)
    assert lost(caplog) == []


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
    model.now += 60
    numbers += model.write(root(model), 1)
    again = Poller(model, checkpoints)
    again.run(again.has_seen(numbers))
    assert not set(missed) & set(again.seen)
    (log_text,) = lost(caplog)
    times = [datetime.fromisoformat(time).timestamp() for time in (log_text.since, log_text.until)]
    assert times == [int(since), int(until)]
    assert log_text.shard == root(model).id


def test_a_shard_that_expired_unread_is_told_and_its_children_are_read(checkpoints, caplog):
    model, _ = started(checkpoints)
    model.write(root(model), 1)
    (child,) = model.split(root(model), 1)
    model.now += DAY + 10
    numbers = model.write(child, 1)
    again = Poller(model, checkpoints)
    again.run(again.has_seen(numbers))
    assert len(lost(caplog)) == 1
