"""Random histories of a stream and its readers: every retained record is read, parents before children."""

from __future__ import annotations

import os
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from stream_model import ModelShard, StreamModel
from stream_poller import Poller, assert_one_reader_each

from service.checkpoints.stores import SqliteCheckpoints

HISTORIES = int(os.environ.get("STREAMDEX_HISTORIES", "20"))
"""Number of random stream histories. The heavier tier runs thousands."""


class Story:
    """Events of a stream and its readers, in an order that Hypothesis draws."""

    def __init__(self, checkpoints: Any, seed: int, lag: float, page: int):
        self.chance = random.Random(seed)
        self.model = StreamModel(self.chance, page=page, lag=lag)
        self.checkpoints = checkpoints
        self.poller = Poller(self.model, checkpoints, poll_interval=10.0)
        self.seen: list[int] = []
        self.written: set[int] = set()

    def write(self) -> None:
        for shard in self.model.living():
            numbers = self.model.write(shard, self.chance.randint(0, 5))
            self.written.update(numbers)
            self.poller.failing.update(n for n in numbers if self.chance.random() < 0.1)

    def split(self) -> None:
        if self.model.living():
            self.model.split(self.chance.choice(self.model.living()), self.chance.randint(1, 2))

    def throttle(self) -> None:
        self.model.throttled = self.chance.randint(1, 10)

    def read_a_little(self) -> None:
        self.poller.run_for(self.chance.choice([0.1, 5.0, 100.0]))

    def read_for_hours(self) -> None:
        self.poller.run_for(20_000.0)

    def be_denied(self) -> None:
        """Let AWS answer for a while that existing resources do not exist, or that an open shard has ended."""
        for call in ("GetRecords", "GetShardIterator", "DescribeStream"):
            self.model.hiccups[call] = self.chance.randint(0, 3)
        self.model.endings = [self.chance.choice([None, ""]) for _ in range(self.chance.randint(0, 3))]

    def enable_anew(self) -> None:
        if self.model.living():
            self.model.disable()
            self.model.enable()

    def crash(self) -> None:
        self.seen += self.poller.seen
        self.poller = Poller(self.model, self.checkpoints, poll_interval=10.0)

    def be_down_for_hours(self) -> None:
        self.crash()
        self.model.now += 20_000.0

    def finish(self) -> None:
        """Read to the end. Assert that all retained records were seen, parents before children."""
        stories = [shard for stream in self.model.streams for shard in stream.shards.values()]
        kept = {
            number for shard in stories for number, _ in self.model.kept(shard) if not self.model.expired(shard)
        }
        self.poller.run(lambda: kept <= {*self.seen, *self.poller.seen}, within=4 * 3600.0)
        assert_one_reader_each(self.poller)
        self.crash()
        first: dict[int, int] = {}
        for place, number in enumerate(self.seen):
            first.setdefault(number, place)
        assert set(first) <= self.written
        for stream in self.model.streams:
            for shard in stream.shards.values():
                if shard.parent:
                    self._assert_after(stream.shards[shard.parent], shard, first)

    def _assert_after(self, parent: ModelShard, child: ModelShard, first: dict[int, int]) -> None:
        before = [first[number] for number, _ in parent.records if number in first]
        after = [first[number] for number, _ in child.records if number in first]
        assert not before or not after or max(before) < min(after)


STEPS = [
    Story.write,
    Story.write,
    Story.split,
    Story.throttle,
    Story.be_denied,
    Story.read_a_little,
    Story.read_a_little,
    Story.read_for_hours,
    Story.enable_anew,
    Story.crash,
    Story.be_down_for_hours,
]


@settings(max_examples=HISTORIES, deadline=None)
@given(
    st.lists(st.sampled_from(STEPS), max_size=30),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 3.0, 500.0]),
    st.integers(1, 4),
)
def test_whatever_happens_every_record_that_is_kept_is_read_after_those_of_its_parent(steps, seed, lag, page):
    store = SqliteCheckpoints(":memory:", "group")
    story = Story(store, seed, lag, page)
    for step in steps:
        step(story)
    story.finish()
    store.close()
