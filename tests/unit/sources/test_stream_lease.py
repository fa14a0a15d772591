"""The lease of a stream's poller: standby, takeover, and batches in progress when the lease is lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from stream_model import StreamModel
from stream_poller import Poller, root

from service.errors import LeaseLost
from service.pipeline import Outcome, Report, Result


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
    poller.source.back(batch.job, len(batch.records))
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
