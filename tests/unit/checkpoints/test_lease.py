"""The lease of a group, which one poller holds at a time: takeover, expiry, tokens and release.

A poller that is silent for the lease time loses the lease and knows it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import raising
from lease_poller import SECONDS, Poller

from service.checkpoints.lease import TableLease, check
from service.checkpoints.stores import Checkpoint, Checkpoints, make_checkpoints
from service.context import Context
from service.errors import LeaseLost
from service.settings import Settings


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
    with pytest.raises(LeaseLost, match="lease of this poller has expired"):
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
    one.now += SECONDS - 20.0 - 1.0
    assert one.lease.token() == 1
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


def test_a_lease_that_somebody_has_deleted_begins_no_lower(pollers, dynamodb):
    one, _ = pollers
    for _ in range(3):
        one.beat(after=2 * SECONDS)
    dynamodb.delete_item(TableName="positions", Key=one.lease.key)
    another = TableLease(dynamodb, "positions", "g", SECONDS)
    another.beat()
    assert another.token() > 1_700_000_000


def test_who_stands_by_takes_nothing_that_was_renewed_or_taken_since_it_looked(pollers, dynamodb):
    one, two = pollers
    three = Poller(dynamodb, "three")
    for poller in (one, two, three):
        poller.beat()
    update = two.lease._dynamodb.update_item

    def late(**arguments: Any) -> Any:
        prefetch.pop(0)()
        return update(**arguments)

    two.lease._dynamodb = SimpleNamespace(
        get_item=dynamodb.get_item, update_item=late, exceptions=dynamodb.exceptions
    )
    prefetch = [one.beat, lambda: three.beat(after=SECONDS)]
    assert two.beat(after=SECONDS) == 0
    two.beat()
    three.beat()
    assert two.beat(after=SECONDS) == 0
    assert three.lease.token() == 2
    assert one.beat() == 0


def test_a_release_need_not_wait_for_the_next_beat(dynamodb):
    lease = TableLease(dynamodb, "positions", "g", 3600.0)
    lease.start()
    deadline = time.monotonic() + 10
    while not lease.token() and time.monotonic() < deadline:
        time.sleep(0.01)
    Thread(target=lease.release, daemon=True).start()
    lease.join(30)
    assert not lease.is_alive()


def test_a_release_ends_the_tries_of_a_renewal(dynamodb):
    lease = TableLease(dynamodb, "positions", "g", 3600.0)
    lease.beat()
    tried: list[Any] = []
    lease._dynamodb = SimpleNamespace(
        update_item=lambda **_: (tried.append(1), raising(ConnectionError("reset"))()),
        exceptions=dynamodb.exceptions,
    )
    lease.start()
    deadline = time.monotonic() + 10
    while not tried and time.monotonic() < deadline:
        time.sleep(0.01)
    lease.release()
    assert tried
    assert not lease.is_alive()


def test_a_release_that_fails_is_told(pollers, caplog):
    one, _ = pollers
    one.beat()
    one.lease._dynamodb = SimpleNamespace(update_item=raising(ConnectionError("reset")))
    one.lease.release()
    assert "lease not released" in caplog.text


def stores(dynamodb: Any) -> Sequence[Checkpoints]:
    """Return the checkpoints of two processes of one group. The first process holds the lease."""
    made = []
    for _ in range(2):
        settings = Settings(checkpoints="dynamodb://positions", group="g", lease_time=6.0)
        made.append(make_checkpoints(Context(settings, dynamodb=dynamodb), settings.group))
        wait_for_lease(made[0])
    return made


def wait_for_lease(store: Checkpoints) -> int:
    deadline = time.monotonic() + 10
    while not store.lease.token() and time.monotonic() < deadline:
        time.sleep(0.01)
    return store.lease.token()


def test_who_does_not_hold_the_lease_cannot_write_a_checkpoint(dynamodb):
    first, second = stores(dynamodb)
    token = first.lease.token()
    assert first.write("stream", "shard", Checkpoint("1", 1.0), token)
    with pytest.raises(LeaseLost, match="another poller"):
        second.write("stream", "shard", Checkpoint("2", 2.0), second.lease.token())
    with pytest.raises(LeaseLost):
        second.remove("stream", "shard", second.lease.token())
    first.close()
    after = wait_for_lease(second)
    assert after > token
    second.write("stream", "shard", Checkpoint("3", 3.0), after)
    with pytest.raises(LeaseLost):
        first.write("stream", "shard", Checkpoint("4", 4.0), token)
    assert second.read("stream") == {"shard": Checkpoint("3", 3.0)}
    second.close()
