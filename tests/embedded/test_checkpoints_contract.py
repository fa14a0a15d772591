"""The server behavior that checkpoints in a table rely on. The same tests run on moto and DynamoDB Local."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

import pytest
from deployments import DEADLINE

from service.checkpoints.stores import Checkpoint, Checkpoints, make_checkpoints
from service.context import Context
from service.errors import LeaseLost
from service.settings import Settings

Opening = Callable[[], Checkpoints]

_numbers = itertools.count()


@pytest.fixture
def open_checkpoints(streams_url: str) -> Iterator[Opening]:
    """Yield a function that opens the checkpoints of one more process of the group."""
    where = f"dynamodb://checkpoints-{next(_numbers)}-{time.time_ns()}"
    opened: list[tuple[Context, Checkpoints]] = []

    def opening() -> Checkpoints:
        # The lease outlasts any delay of its renewal thread on a busy machine.
        context = Context(Settings(aws_endpoint_url=streams_url, checkpoints=where, lease_time=120.0))
        opened.append((context, make_checkpoints(context, "group")))
        return opened[-1][1]

    yield opening
    for context, checkpoints in opened:
        checkpoints.close()
        context.close()


def token_of(checkpoints: Checkpoints) -> int:
    """Wait for the lease and return its token."""
    deadline = time.monotonic() + DEADLINE
    while not checkpoints.lease.token() and time.monotonic() < deadline:
        time.sleep(0.02)
    return checkpoints.lease.token()


def test_who_takes_over_finds_all_positions_and_who_came_before_changes_none(open_checkpoints: Opening):
    first = open_checkpoints()
    before = token_of(first)
    assert first.claim("stream", before) == {}
    known = {f"shard-{number}": Checkpoint(str(number), 1_700_000_000.5) for number in range(60)}
    for shard, checkpoint in known.items():
        assert first.write("stream", shard, checkpoint, before)
    first.remove("stream", "shard-0", before)
    del known["shard-0"]
    assert first.read("stream") == known
    first.close()
    second = open_checkpoints()
    after = token_of(second)
    assert after > before
    assert second.claim("stream", after) == second.claim("stream", after) == known
    first.lease.token = lambda: before  # it does not know yet that it lost the lease
    for change in (
        lambda: first.write("stream", "shard-1", Checkpoint("2", 2.0), before),
        lambda: first.remove("stream", "shard-1", before),
        lambda: first.claim("stream", before),
    ):
        with pytest.raises(LeaseLost, match="another poller"):
            change()
    assert second.read("stream") == known
