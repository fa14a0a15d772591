"""Renewal of a lease: failed heartbeats, retries, lost responses and late requests."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from lease_poller import SECONDS, Poller


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
