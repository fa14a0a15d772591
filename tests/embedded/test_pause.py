"""A process that is stopped for longer than its lease. It resumes and leaves its batch to the new lease holder.

STREAMDEX_PAUSES sets the number of stops.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
from containers import Container, ended_after, indexed, stop, truth
from deployments import Deployment, aws_client, eventually
from faults import HELD, faulty
from load import Reader, Writer

PAUSES = int(os.environ.get("STREAMDEX_PAUSES", "2"))
LEFT, STANDING_BY = "batch dropped: lease lost", "standing by: another poller holds the lease"


class Poller:
    """A container that reaches the search server and DynamoDB through its own proxies."""

    def __init__(self, place: Deployment, folder: Path, within: ExitStack, **settings: str):
        self._faults: list[str] = []
        self.proxy = within.enter_context(faulty(place.search_url, self._choose, random.Random(PAUSES)))
        self.dynamodb = within.enter_context(faulty(place.aws_url, lambda: "", random.Random(PAUSES)))
        addresses = {"SEARCH_URL": self.proxy.url, "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb.url}
        self.container = Container(place, folder, **addresses, **settings)

    def arm(self, fault: str = "") -> None:
        """Hold the next bulk request with this fault. "" holds none."""
        for event in (self.proxy.holding, self.proxy.going_on, self.proxy.over):
            event.clear()
        self._faults[:] = [fault]

    def _choose(self) -> str:
        return self._faults.pop() if self._faults else ""


class Pair:
    """Two containers that share one lease, and the table that they read. Another table has their checkpoints."""

    def __init__(self, place: Deployment, folder: Path, within: ExitStack):
        self.place = place
        self.positions = f"positions-{place.table}"
        self.writer = Writer(place, random.Random(PAUSES))
        self._dynamodb = aws_client(place.aws_url, "dynamodb")
        self._streams = aws_client(place.aws_url, "dynamodbstreams")
        settings = {"STREAMDEX_CHECKPOINTS": f"dynamodb://{self.positions}", "STREAMDEX_LEASE_TIME": "1"}
        self.pollers = [Poller(place, folder, within, **settings) for _ in range(2)]
        within.enter_context(ended_after([poller.container for poller in self.pollers]))
        eventually(lambda: any(poller.container.has_said(STANDING_BY) for poller in self.pollers), True)

    def write(self) -> None:
        for _ in range(30):
            self.writer.write()

    def settle(self) -> None:
        """Wait until everything is read, written and checkpointed."""
        eventually(
            lambda: (indexed(self.place) == truth(self.place), self.recorded() == [self.last()]), (True, True)
        )

    def held(self, fault: str) -> tuple[Poller, Poller]:
        """Write until a request is held. Return the poller that sent it, and the other one."""
        for poller in self.pollers:
            poller.arm(fault)
        self.write()
        eventually(lambda: any(poller.proxy.holding.is_set() for poller in self.pollers), True)
        other, holder = sorted(self.pollers, key=lambda poller: poller.proxy.holding.is_set())
        other.arm()
        return holder, other

    def recorded(self) -> list[str]:
        """Return the checkpoints of the shards."""
        items = self._dynamodb.scan(TableName=self.positions, ConsistentRead=True)["Items"]
        return [item["position"]["S"] for item in items if item["shard"]["S"].startswith("shardId")]

    def last(self) -> Any:
        """Return the last sequence number of the stream."""
        (stream,) = self._streams.list_streams(TableName=self.place.table)["Streams"]
        arn = stream["StreamArn"]
        (shard,) = self._streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        answer = self._streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        iterator, last = answer["ShardIterator"], None
        while (answer := self._streams.get_records(ShardIterator=iterator))["Records"]:
            iterator, last = answer["NextShardIterator"], answer["Records"][-1]["dynamodb"]["SequenceNumber"]
        return last


@contextmanager
def stopped(container: Container) -> Iterator[None]:
    """Suspend the process (SIGSTOP) until the block ends."""
    container.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        container.send_signal(signal.SIGCONT)


@pytest.fixture
def pair(deployment: Deployment, tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as within:
        yield Pair(deployment, tmp_path, within)


@pytest.mark.long
def test_a_holder_that_was_stopped_leaves_its_batch_to_the_one_that_took_over(pair: Pair):
    with Reader(pair.place) as reader:
        for fault in islice(cycle(HELD), PAUSES):
            holder, other = pair.held(fault)
            with stopped(holder.container):
                pair.write()
                pair.settle()  # now the other poller has taken over
                before = holder.proxy.requests, pair.recorded()
                left, stood_by = (holder.container.times_said(event) for event in (LEFT, STANDING_BY))
                holder.proxy.going_on.set()
                holder.proxy.over.wait()
                if fault in ("lost", "refused late"):  # only its own clock shows that the lease expired
                    holder.dynamodb.open.clear()
            wait_until_said(holder.container, LEFT, left + 1)
            holder.dynamodb.open.set()
            wait_until_said(holder.container, STANDING_BY, stood_by + 1)
            assert (holder.proxy.requests, pair.recorded()) == before
            assert indexed(pair.place) == truth(pair.place)
        stop(other.container)
        pair.write()
        pair.settle()
        stop(holder.container)
    reader.assert_in_order(pair.writer.states)
    assert pair.place.rejected() == []


def wait_until_said(container: Container, event: str, times: int) -> None:
    eventually(lambda: container.times_said(event), times)
