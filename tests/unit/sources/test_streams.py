"""A stream is read whole: parents before children, from the checkpoint on, whatever happens on the way."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError
from builders import stream_arn, stream_record

from service.context import Context
from service.dispatch import Outcome, Report, Result
from service.errors import Halt
from service.settings import Settings
from service.sources.checkpoints import ENDED, SqliteCheckpoints
from service.sources.shards import Shard, parents_first
from service.sources.streams import StreamSource


class Expired(Exception):
    pass


class Trimmed(Exception):
    pass


class NotFound(Exception):
    pass


class FakeStream:
    """One table's stream: shards as (id, parent, sequence numbers, closed), read through opaque iterators."""

    class exceptions:
        ExpiredIteratorException = Expired
        TrimmedDataAccessException = Trimmed
        ResourceNotFoundException = NotFound

    def __init__(self, *shards: tuple[str, str, list[int], bool], page: int = 2):
        self.shards = list(shards)
        self.trouble: list[Exception] = []
        self.trimmed_below = 0
        self._reads = 0
        self._page = page
        self._iterators: dict[str, tuple[str, int]] = {}

    def describe_table(self, TableName: str) -> Any:
        return {"Table": {"LatestStreamArn": stream_arn(), "StreamSpecification": {"StreamEnabled": True}}}

    def describe_stream(self, StreamArn: str, ExclusiveStartShardId: str = "") -> Any:
        ids = [shard[0] for shard in self.shards]
        start = ids.index(ExclusiveStartShardId) + 1 if ExclusiveStartShardId else 0
        page = self.shards[start : start + self._page]
        description: dict[str, Any] = {
            "Shards": [
                {"ShardId": name, **({"ParentShardId": parent} if parent else {})} for name, parent, *_ in page
            ]
        }
        if start + self._page < len(self.shards):
            description["LastEvaluatedShardId"] = page[-1][0]
        return {"StreamDescription": description}

    def get_shard_iterator(
        self, StreamArn: str, ShardId: str, ShardIteratorType: str, SequenceNumber: str = ""
    ) -> Any:
        numbers = self._shard(ShardId)[2]
        if SequenceNumber:
            if int(SequenceNumber) < self.trimmed_below:
                raise Trimmed
            after = ShardIteratorType == "AFTER_SEQUENCE_NUMBER"
            place = sum(number < int(SequenceNumber) + after for number in numbers)
        else:
            place = len(numbers) if ShardIteratorType == "LATEST" else 0
        return {"ShardIterator": self._iterator(ShardId, place)}

    def get_records(self, ShardIterator: str, Limit: int) -> Any:
        self._reads += 1
        assert self._reads < 1000, "reading goes on and on, and finds nothing"
        if self.trouble:
            raise self.trouble.pop(0)
        shard, place = self._iterators[ShardIterator]
        _, _, numbers, closed = self._shard(shard)
        page = numbers[place : place + min(self._page, Limit)]
        end = place + len(page)
        answer: dict[str, Any] = {
            "Records": [stream_record(new={"id": str(n)}, sequence=str(n)) for n in page],
        }
        if not (closed and end >= len(numbers)):
            answer["NextShardIterator"] = self._iterator(shard, end)
        return answer

    def _shard(self, name: str) -> tuple[str, str, list[int], bool]:
        return next(shard for shard in self.shards if shard[0] == name)

    def _iterator(self, shard: str, place: int) -> str:
        name = f"i{len(self._iterators)}"
        self._iterators[name] = (shard, place)
        return name


@pytest.fixture
def checkpoints(tmp_path):
    store = SqliteCheckpoints(tmp_path / "c.sqlite", "group")
    yield store
    store.close()


def read(
    stream: FakeStream, checkpoints: Any, *, stop_at: int, fail: set[str] = frozenset(), **settings: Any
) -> list[str]:
    """The sequence numbers dispatched until `stop_at` of them were; each in `fail` has to come again once."""
    stopping, seen, failing = Event(), [], set(fail)
    context = Context(Settings(poll_interval=0, **settings), dynamodb=stream, dynamodb_streams=stream)
    source = StreamSource(context, "images", checkpoints, stopping)
    source._pause._shortest = 0.001
    for batch in source:
        results = []
        for record in batch.records:
            broken = record.identifier in failing
            failing.discard(record.identifier)
            results.append(Result(Outcome.RETRY if broken else Outcome.APPLIED))
            seen.append(record.identifier)
        batch.settle(Report(results))
        if len(seen) >= stop_at:
            stopping.set()
    return seen


LINEAGE = [("c", "b", [7, 8], False), ("a", "", [1, 2, 3], True), ("b", "a", [4, 5, 6], True)]


def test_every_record_of_every_shard_is_read_parents_before_children(checkpoints):
    assert read(FakeStream(*LINEAGE), checkpoints, stop_at=8) == list("12345678")


def test_a_child_whose_parent_is_no_longer_listed_is_read(checkpoints):
    assert read(FakeStream(("b", "gone", [4, 5], False)), checkpoints, stop_at=2) == ["4", "5"]


def test_reading_goes_on_after_the_checkpoint(checkpoints):
    stream = FakeStream(("a", "", [1, 2, 3, 4], False))
    assert read(stream, checkpoints, stop_at=2) == ["1", "2"]
    assert read(stream, checkpoints, stop_at=2) == ["3", "4"]


def test_a_closed_shard_that_was_read_to_its_end_is_not_read_again(checkpoints):
    stream = FakeStream(*LINEAGE)
    read(stream, checkpoints, stop_at=8)
    assert checkpoints.read(stream_arn(), "a") == ENDED
    stream.shards[0] = ("c", "b", [7, 8, 9], False)
    assert read(stream, checkpoints, stop_at=1) == ["9"]


def test_a_record_that_has_to_come_again_comes_with_everything_after_it(checkpoints):
    stream = FakeStream(("a", "", [1, 2, 3, 4], True), page=3)
    assert read(stream, checkpoints, stop_at=6, fail={"2"}) == ["1", "2", "3", "2", "3", "4"]
    assert checkpoints.read(stream_arn(), "a") == ENDED


def test_the_checkpoint_never_passes_a_record_that_has_to_come_again(checkpoints):
    stream = FakeStream(("a", "", [1, 2, 3], False), page=3)
    read(stream, checkpoints, stop_at=3, fail={"2"})
    assert checkpoints.read(stream_arn(), "a") == "1"


def test_an_expired_iterator_is_renewed_at_the_last_position(checkpoints):
    stream = FakeStream(("a", "", [1, 2, 3, 4], False))
    stream.trouble = [Expired()]
    assert read(stream, checkpoints, stop_at=4) == list("1234")


def test_throttling_and_lost_connections_lose_nothing(checkpoints):
    stream = FakeStream(*LINEAGE)
    stream.trouble = [ClientError({"Error": {"Code": "ThrottlingException"}}, "GetRecords"), ConnectionError()]
    assert read(stream, checkpoints, stop_at=8) == list("12345678")


def test_a_position_that_was_trimmed_goes_on_with_the_oldest_that_is_left_and_says_so(checkpoints, caplog):
    checkpoints.write(stream_arn(), "a", "1")
    stream = FakeStream(("a", "", [5, 6], False))
    stream.trimmed_below = 5
    assert read(stream, checkpoints, stop_at=2) == ["5", "6"]
    assert "records lost" in caplog.text


def test_latest_leaves_out_what_was_there_and_reads_shards_born_since_from_their_beginning(checkpoints):
    stream = FakeStream(("a", "", [1, 2], True))
    original = stream.get_records

    def born(**arguments: Any) -> Any:
        stream.shards = [("a", "", [1, 2], True), ("b", "a", [3, 4], False)]
        return original(**arguments)

    stream.get_records = born
    assert read(stream, checkpoints, stop_at=2, start_at="LATEST") == ["3", "4"]


def test_the_first_records_after_latest_come_again_when_they_have_to(checkpoints):
    stream = FakeStream(("a", "", [1], False))
    original = stream.get_records

    def arriving(**arguments: Any) -> Any:
        stream.shards = [("a", "", [1, 2, 3], False)]
        return original(**arguments)

    stream.get_records = arriving
    assert read(stream, checkpoints, stop_at=4, fail={"2"}, start_at="LATEST") == ["2", "3", "2", "3"]


def test_an_iterator_that_expires_after_latest_leaves_out_nothing(checkpoints):
    stream = FakeStream(("a", "", [1], False))
    stream.trouble = [Expired()]
    original = stream.get_records

    def arriving(**arguments: Any) -> Any:
        stream.shards = [("a", "", [1, 2], False)]
        return original(**arguments)

    stream.get_records = arriving
    assert "2" in read(stream, checkpoints, stop_at=2, start_at="LATEST")


def test_a_record_that_cannot_be_decoded_is_delivered_with_its_number(checkpoints):
    stream = FakeStream(("a", "", [1], False))
    original = stream.get_records

    def broken(**arguments: Any) -> Any:
        answer = original(**arguments)
        for record in answer["Records"]:
            del record["dynamodb"]["Keys"]
        return answer

    stream.get_records = broken
    assert read(stream, checkpoints, stop_at=1) == ["1"]
    assert checkpoints.read(stream_arn(), "a") == "1"


def test_a_table_that_is_missing_or_has_no_stream_halts_with_the_remedy(checkpoints):
    class Missing(FakeStream):
        def describe_table(self, TableName: str) -> Any:
            raise NotFound

    class Still(FakeStream):
        def describe_table(self, TableName: str) -> Any:
            return {"Table": {}}

    for stream, remedy in ((Missing(), "create it"), (Still(), "NEW_AND_OLD_IMAGES")):
        with pytest.raises(Halt, match=remedy):
            read(stream, checkpoints, stop_at=1)


def test_forbidden_calls_halt(checkpoints):
    stream = FakeStream(("a", "", [1], False))
    stream.trouble = [ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetRecords")]
    with pytest.raises(Halt, match="permission"):
        read(stream, checkpoints, stop_at=1)


def test_parents_come_first_also_where_a_parent_is_listed_last_or_a_loop_is_listed():
    shards = [Shard("c", "b"), Shard("b", "a"), Shard("a", "")]
    assert [shard.id for shard in parents_first(shards)] == ["a", "b", "c"]
    assert {shard.id for shard in parents_first([Shard("x", "y"), Shard("y", "x")])} == {"x", "y"}
