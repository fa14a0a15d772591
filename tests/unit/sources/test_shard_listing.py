"""Listing of streams and shards: its rate, its pages, and faults of a page."""

from __future__ import annotations

from itertools import pairwise
from threading import Event
from typing import Any

from botocore.exceptions import ClientError
from stream_model import StreamModel
from stream_poller import Poller, root

from service.context import Context
from service.settings import Settings
from service.sources.dynamodb_streams import StreamSource
from service.timing import Timing


def test_listing_stays_far_below_the_limits_of_aws(checkpoints):
    model = StreamModel()
    Poller(model, checkpoints).run_for(3600)
    assert 50 < model.calls.count("DescribeStream") < 150
    assert 70 < model.calls.count("ListStreams") < 170  # each listing may take two pages


def test_shards_are_looked_for_however_long_a_closed_shard_lists_no_child(checkpoints):
    """There are 5,000 listings. Without a limit, the backoff would overflow a float after twelve hours."""
    model = StreamModel(page=100)
    poller = Poller(model, checkpoints, poll_interval=600.0)
    while model.calls.count("DescribeStream") < 5000:
        childless = model.open(model.streams[-1])
        model.write(childless)
        model.split(childless, 0)
        before = len(model.calls)
        poller.run_for(10 * 3600.0)
        assert 10 * 60 <= model.calls[before:].count("DescribeStream") <= 10 * 130
    assert poller.source.trouble == ""
    poller.run(poller.has_seen(model.write(root(model))), within=601.0)


class Described(StreamModel):
    """A stream that records the time and the start shard of each listing of its shards."""

    def __init__(self, shards: int, page: int):
        super().__init__(page=page)
        self.described: list[tuple[float, str]] = []
        self.children = self.split(root(self), shards)

    def describe_stream(self, StreamArn: str, ExclusiveStartShardId: str = "") -> Any:
        self.described.append((self.now, ExclusiveStartShardId))
        return super().describe_stream(StreamArn, ExclusiveStartShardId)


def test_pages_of_shards_are_asked_for_at_the_rate_that_aws_allows_while_others_are_read(checkpoints):
    model = Described(shards=99, page=2)
    poller = Poller(model, checkpoints)
    poller.run_for(0.5)
    assert 4 <= len(model.described) <= 6
    poller.run(poller.has_seen([model.write(child, 1)[0] for child in model.children]))
    pages = model.described[:50]
    assert len({place for _, place in pages}) == 50
    times = [at for at, _ in pages]
    assert min(after - before for before, after in pairwise(times)) > 0.099
    assert 4.8 <= times[-1] - times[0] <= 6
    model.described.clear()
    number = model.write(model.children[0], 1)
    poller.run(lambda: len(model.described) > 3, within=200)  # the next listing is in progress
    poller.run(poller.has_seen(number), within=0.5)
    assert len(model.described) < 40


def test_a_page_of_shards_that_was_throttled_is_asked_for_again_and_not_those_before_it(checkpoints):
    model = Described(shards=20, page=2)
    poller = Poller(model, checkpoints)
    poller.run(lambda: len(model.described) == 5)
    model.throttled = 3
    poller.run(poller.has_seen([model.write(child, 1)[0] for child in model.children]))
    places = [place for _, place in model.described[:14]]
    assert places[5:9] == [places[5]] * 4
    assert len(set(places)) == 11


def test_a_page_of_shards_that_is_refused_is_not_insisted_on(checkpoints):
    """For example, the start shard of the page no longer exists. Then all shards are listed again."""
    model = Described(shards=20, page=2)
    poller = Poller(model, checkpoints)
    poller.run(lambda: len(model.described) == 5)
    describe, refused = model.describe_stream, []

    def refuse(StreamArn: str, ExclusiveStartShardId: str = "") -> Any:
        if not refused:
            refused.append(ExclusiveStartShardId)
            raise ClientError({"Error": {"Code": "ValidationException"}}, "DescribeStream")
        return describe(StreamArn, ExclusiveStartShardId)

    model.describe_stream = refuse
    poller.run(poller.has_seen([model.write(child, 1)[0] for child in model.children]))
    assert refused != [""]
    assert model.described[5][1] == ""


def test_a_stop_need_not_wait_for_the_pages_of_shards_that_are_left(checkpoints):
    model = Described(shards=99, page=2)
    context = Context(Settings(), dynamodb=model, dynamodb_streams=model)
    stopping = Event()

    def wait(condition: Any, seconds: float) -> None:
        model.now += seconds
        if len(model.described) == 3:
            stopping.set()

    timing = Timing(lambda: model.now, lambda: model.now, wait)
    assert list(StreamSource(context, "images", checkpoints, stopping, timing=timing)) == []
    assert len(model.described) == 3
