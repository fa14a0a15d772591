"""A table with a missing index: its stream is read again from the oldest record."""

from __future__ import annotations

from typing import Any

import pytest
from stream_model import StreamModel
from stream_poller import DAY, Poller, assert_one_reader_each, family, lost, position, root

from service.checkpoints.stores import ENDED, TRIM_HORIZON
from service.pipeline import Outcome, Report, Result


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
