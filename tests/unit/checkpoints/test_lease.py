"""The lease of a group, which one poller holds at a time.

A poller that is silent for the lease time loses the lease and knows it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from fakes import raising

from service.checkpoints.lease import TableLease, check
from service.checkpoints.stores import Checkpoint, Checkpoints, make_checkpoints
from service.context import Context
from service.errors import LeaseLost
from service.settings import Settings
from service.timing import Timing

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
    """A lease with a manual clock and manual heartbeats."""

    def __init__(self, dynamodb: Any, owner: str, group: str = "g"):
        self.now = 0.0
        timing = Timing(lambda: self.now, lambda: 1.0, self._wait, lambda: 0.5)
        self.lease = TableLease(dynamodb, "positions", group, SECONDS, timing, owner)

    def _wait(self, condition: Any, seconds: float) -> None:
        self.now += seconds

    def beat(self, after: float = 0.0) -> int:
        self.now += after
        self.lease.beat()
        return self.lease.token()

    def meets(self, *troubles: Exception | str) -> list[float]:
        """Set the results of the next writes to the table. Return a list that collects the times of all writes.

        A result is an error, "passed", or "unanswered" (the write succeeds, but the response is lost).
        """
        dynamodb, left, times = self.lease._dynamodb, list(troubles), []

        def update_item(**arguments: Any) -> Any:
            times.append(self.now)
            trouble = left.pop(0) if left else "passed"
            if isinstance(trouble, Exception):
                raise trouble
            answer = dynamodb.update_item(**arguments)
            if trouble == "unanswered":
                raise ConnectionError("reset")
            return answer

        self.lease._dynamodb = SimpleNamespace(
            get_item=dynamodb.get_item, update_item=update_item, exceptions=dynamodb.exceptions
        )
        return times


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


def test_a_beat_that_fails_is_told_and_the_lease_is_held_as_long_as_it_lasts(pollers, caplog):
    one, _ = pollers
    one.beat()
    one.meets(*[ConnectionError("reset")] * 100)
    assert one.beat(after=9) == 1
    assert one.now < SECONDS
    assert one.beat(after=SECONDS - one.now) == 0
    assert "lease not renewed" in caplog.text
    one.lease.release()


def coded(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "UpdateItem")


@pytest.mark.parametrize(
    "trouble",
    [
        coded("TransactionConflictException"),
        coded("ThrottlingException"),
        coded("InternalServerError", 500),
        ConnectionError("reset"),
    ],
)
def test_a_renewal_that_fails_for_now_is_tried_again_at_once(pollers, trouble, caplog):
    one, _ = pollers
    one.beat()
    times = one.meets(trouble, trouble, trouble)
    assert one.beat(after=10) == 1
    assert times[0] == 10
    assert len(times) == 4
    assert 0 < times[-1] - times[0] < 2
    one.now += SECONDS - 2
    assert one.lease.token() == 1
    assert "lease not renewed" not in caplog.text


def test_a_renewal_is_tried_again_until_the_next_is_due_and_no_longer(pollers):
    one, _ = pollers
    one.beat()
    times = one.meets(*[ConnectionError("reset")] * 100)
    one.beat(after=10)
    assert 20 - one.now < SECONDS / 3
    assert one.now < 20
    assert 5 < len(times) < 20
    pauses = [after - before for before, after in pairwise(times)]
    assert pauses == sorted(pauses)


def test_a_renewal_that_is_forbidden_waits_for_the_next_beat_and_so_does_a_stand_by_that_fails(pollers, caplog):
    one, two = pollers
    one.beat()
    times = one.meets(coded("AccessDeniedException"))
    one.beat(after=10)
    assert len(times) == 1
    two.beat()
    times = two.meets(coded("ThrottlingException"))
    two.beat(after=SECONDS)
    assert len(times) == 1
    assert caplog.text.count("lease not renewed") == 2


def test_a_renewal_that_ends_after_the_lease_was_seen_to_run_out_has_another_token(pollers):
    """Work under the previous token was abandoned, so that token must not become valid again."""
    one, _ = pollers
    one.beat()
    update, seen = one.lease._dynamodb.update_item, []

    def slow(**arguments: Any) -> Any:
        one.now += 2
        seen.append(one.lease.token())
        return update(**arguments)

    one.lease._dynamodb = SimpleNamespace(update_item=slow, exceptions=one.lease._dynamodb.exceptions)
    assert one.beat(after=SECONDS - 1) == 2
    assert seen == [0, 0]


@pytest.mark.parametrize("token", [1, 2])
def test_a_renewal_whose_answer_was_lost_is_not_taken_for_another_s(pollers, token, caplog):
    """With token 2, the lease has expired without a check, so the renewal also changes the token."""
    one, _ = pollers
    one.beat()
    one.meets("unanswered")
    assert one.beat(after=10 if token == 1 else SECONDS) == token
    assert "lease lost" not in caplog.text


def test_a_lease_that_was_taken_without_an_answer_is_had_with_the_next_beat(pollers):
    one, two = pollers
    one.meets("unanswered")
    assert one.beat() == 0
    assert two.beat() == 0
    assert one.beat() == 2
    assert two.beat() == 0


def test_a_belated_renewal_does_not_bring_back_an_earlier_token(pollers):
    one, two = pollers
    belated: list[Any] = []
    one.beat()
    dynamodb = one.lease._dynamodb

    def lost(**arguments: Any) -> Any:
        belated.append(arguments)
        raise coded("ValidationException")

    one.lease._dynamodb = SimpleNamespace(update_item=lost, exceptions=dynamodb.exceptions)
    one.beat(after=10)
    one.lease._dynamodb = dynamodb
    assert one.beat(after=SECONDS) == 2
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.update_item(**belated[0])
    two.beat()
    assert two.beat(after=SECONDS) == 3


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


def test_a_lease_goes_on_being_renewed_whatever_a_renewal_meets(dynamodb):
    poller, beats = Poller(dynamodb, "a"), []

    def beat() -> None:
        beats.append(poller.now)
        if len(beats) == 3:
            poller.lease.release()
        raise RuntimeError("surprise")

    poller.lease.beat = beat
    poller.lease.run()
    assert [after - before for before, after in pairwise(beats)] == [SECONDS / 3] * 2
