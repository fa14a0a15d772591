"""One poller of a group at a time: whoever is silent for the lease time loses it, and knows it."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import raising

from service.context import Context
from service.errors import LeaseLost
from service.settings import Settings
from service.sources.checkpoints import Checkpoint, TableCheckpoints, make_checkpoints
from service.sources.lease import TableLease, check

SECONDS = 30.0


@pytest.fixture
def dynamodb(mocked_dynamodb):
    mocked_dynamodb.create_table(
        TableName="positions",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("stream", "shard")],
        KeySchema=[
            {"AttributeName": "stream", "KeyType": "HASH"},
            {"AttributeName": "shard", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return mocked_dynamodb


class Poller:
    """A lease whose clock is set by hand, and whose beats are."""

    def __init__(self, dynamodb: Any, owner: str, group: str = "g"):
        self.now = 0.0
        self.lease = TableLease(dynamodb, "positions", group, SECONDS, lambda: self.now, owner)

    def beat(self, after: float = 0.0) -> int:
        self.now += after
        self.lease.beat()
        return self.lease.token()


@pytest.fixture
def pollers(dynamodb) -> tuple[Poller, Poller]:
    return Poller(dynamodb, "one"), Poller(dynamodb, "two")


def test_the_first_has_it_and_the_other_stands_by(pollers):
    one, two = pollers
    assert one.beat() == 1
    assert two.beat() == 0
    for _ in range(10):
        assert one.beat(after=10) == 1
        assert two.beat(after=10) == 0


def test_whoever_is_silent_for_the_lease_time_is_followed_by_the_other(pollers):
    one, two = pollers
    one.beat()
    two.beat()
    assert two.beat(after=SECONDS - 1) == 0
    assert two.beat(after=1) == 2
    assert one.beat() == 0


def test_a_process_that_was_paused_knows_by_its_own_clock_that_it_has_lost_it(pollers):
    one, _ = pollers
    one.beat()
    one.now += SECONDS - 0.001
    assert one.lease.token() == 1
    one.now += 0.001
    assert one.lease.token() == 0
    with pytest.raises(LeaseLost, match="taken over"):
        check(one.lease, 1)


def test_the_holder_stops_before_the_other_begins_whatever_a_request_takes(pollers, dynamodb):
    one, two = pollers
    update = one.lease._dynamodb.update_item

    def slow(**arguments: Any) -> Any:
        answer = update(**arguments)
        one.now += 20.0
        return answer

    one.lease._dynamodb = SimpleNamespace(
        get_item=dynamodb.get_item, update_item=slow, exceptions=dynamodb.exceptions
    )
    one.beat()
    one.now += SECONDS - 20.0
    assert one.lease.token() == 0
    assert two.beat() == 0


def test_one_that_is_released_can_be_had_at_once_and_has_another_token(pollers):
    one, two = pollers
    one.beat()
    two.beat()
    one.lease.release()
    assert one.lease.token() == 0
    assert two.beat() == 2
    assert one.beat() == 0


def test_one_that_expired_unseen_can_be_had_again_by_the_same_process_with_another_token(pollers):
    one, _ = pollers
    assert one.beat() == 1
    one.now += 5 * SECONDS
    assert one.lease.token() == 0
    assert one.beat() == 2
    assert one.beat(after=10) == 2
    assert Poller(one.lease._dynamodb, "three", "another group").beat() == 1


def test_a_beat_that_fails_is_told_and_the_lease_is_held_as_long_as_it_lasts(pollers, caplog):
    one, _ = pollers
    one.beat()
    one.lease._dynamodb = SimpleNamespace(
        update_item=raising(ConnectionError("reset")), exceptions=one.lease._dynamodb.exceptions
    )
    assert one.beat(after=10) == 1
    assert one.beat(after=20) == 0
    assert "lease not renewed" in caplog.text
    one.lease.release()


def test_a_release_that_fails_is_told(pollers, caplog):
    one, _ = pollers
    one.beat()
    one.lease._dynamodb = SimpleNamespace(update_item=raising(ConnectionError("reset")))
    one.lease.release()
    assert "lease not released" in caplog.text


def stores(dynamodb: Any) -> tuple[TableCheckpoints, TableCheckpoints]:
    """The checkpoints of two processes of one group, of which the first holds the lease."""
    made = []
    for _ in range(2):
        settings = Settings(checkpoints="dynamodb://positions", group="g", lease_time=1.0)
        made.append(make_checkpoints(Context(settings, dynamodb=dynamodb), settings.group))
        deadline = time.monotonic() + 10
        while not made[0].lease.token() and time.monotonic() < deadline:
            time.sleep(0.01)
    return made[0], made[1]


def test_who_does_not_hold_the_lease_cannot_write_a_checkpoint(dynamodb):
    first, second = stores(dynamodb)
    first.write("stream", "shard", Checkpoint("1", 1.0))
    with pytest.raises(LeaseLost, match="another poller"):
        second.write("stream", "shard", Checkpoint("2", 2.0))
    with pytest.raises(LeaseLost):
        second.remove("stream", "shard")
    first.close()
    deadline = time.monotonic() + 10
    while not second.lease.token() and time.monotonic() < deadline:
        time.sleep(0.01)
    second.write("stream", "shard", Checkpoint("3", 3.0))
    with pytest.raises(LeaseLost):
        first.write("stream", "shard", Checkpoint("4", 4.0))
    assert second.read("stream") == {"shard": Checkpoint("3", 3.0)}
    second.close()
