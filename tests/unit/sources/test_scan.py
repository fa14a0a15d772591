"""Scans: every item of a table is read, dated before its read, and repeated only after an interruption."""

from __future__ import annotations

import threading
from collections.abc import Callable
from email.utils import formatdate
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from service.checkpoints.stores import NoCheckpoints
from service.context import Context
from service.errors import Halt
from service.model.versions import MARGIN, stream_version
from service.pipeline import Outcome, Report, Result
from service.sources.partitions import PartSource
from service.sources.scan import ReadPace, Table, segments_of
from service.sources.scan.scanned_table import server_time
from service.sources.scan.segments import key_from, key_to

START = 1_700_000_000.0
APPLIED, RETRY = Result(Outcome.APPLIED), Result(Outcome.RETRY, "busy")


class FakeTable:
    """A table with its items distributed over the segments. A page has two items and takes 10 seconds."""

    def __init__(self, size: int):
        self.items = [{"id": {"S": f"i{number}"}} for number in range(size)]
        self.now = START
        self.dates: list[float] = []
        self.requests: list[dict[str, Any]] = []
        self.trouble: list[Exception] = []

    def scan(self, **request: Any) -> Any:
        self.requests.append(request)
        if self.trouble:
            raise self.trouble.pop(0)
        self.now += 10
        mine = self.items[request["Segment"] :: request["TotalSegments"]]
        after = request.get("ExclusiveStartKey")
        begin = mine.index(after) + 1 if after else 0
        page = mine[begin : begin + 2]
        more = begin + 2 < len(mine)
        return {
            "Items": page,
            "ConsumedCapacity": {"CapacityUnits": 3.0},
            "ResponseMetadata": {"HTTPHeaders": {"date": formatdate(self.now, usegmt=True)}},
            **({"LastEvaluatedKey": page[-1]} if more else {}),
        }

    @property
    def names(self) -> list[str]:
        return sorted(item["id"]["S"] for item in self.items)


def source_of(table: FakeTable, checkpoints: Any, segments: int = 2, **options: Any) -> PartSource:
    facts = Table("t", ("id",), "arn:aws:dynamodb:x:1:table/t/stream/s", None, 0, START)
    pace = options.pop("pace", None) or ReadPace(0.0)
    context = Context(dynamodb=table)
    parts = segments_of(context, facts, segments, pace, **options)
    return PartSource("scan of table t", parts, segments, checkpoints, f"job|{segments}", Event())


def read(source: PartSource, most: int = 10**6, *results: Result) -> list[str]:
    """Read up to `most` batches. The first records get `results`, and all others are applied."""
    seen, left = [], list(results)
    for number, batch in enumerate(source, 1):
        batch.delivery.prefetch()
        seen += [record.typed_keys["id"]["S"] for record in batch.records]
        ends = [left.pop(0) if left else APPLIED for _ in batch.records]
        batch.settle(Report(ends))
        if number == most:
            break
    return seen


@pytest.mark.parametrize("segments", [1, 2, 7])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 20])
def test_every_item_is_read_once(checkpoints, size, segments):
    table = FakeTable(size)
    source = source_of(table, checkpoints, segments)
    assert sorted(read(source)) == table.names
    assert source.complete
    assert all(request["ConsistentRead"] for request in table.requests)
    pages = [(request["Segment"], str(request.get("ExclusiveStartKey"))) for request in table.requests]
    assert len(set(pages)) == len(pages)  # prefetched pages are not requested again


def test_a_page_that_cannot_be_read_ahead_is_read_when_it_is_its_turn(checkpoints):
    table = FakeTable(6)
    seen = []
    for batch in source_of(table, checkpoints, 1):
        seen += [record.typed_keys["id"]["S"] for record in batch.records]
        table.trouble = [ClientError({"Error": {"Code": "InternalServerError"}}, "Scan")]
        batch.delivery.prefetch()
        table.trouble = []
        batch.settle(Report([APPLIED] * len(batch.records)))
    assert seen == table.names


def test_a_page_is_dated_by_an_answer_that_was_given_before_it_was_asked_for(checkpoints):
    table = FakeTable(6)
    versions = [record.version for batch in settled(source_of(table, checkpoints, 1)) for record in batch.records]
    dated = [stream_version(START + seconds - MARGIN, None) for seconds in (0, 0, 10, 10, 20, 20)]
    assert versions == dated


def settled(source: PartSource) -> Any:
    for batch in source:
        yield batch
        batch.settle(Report([APPLIED] * len(batch.records)))


def test_what_was_interrupted_goes_on_after_the_last_page_that_was_done(checkpoints):
    table = FakeTable(10)
    first = read(source_of(table, checkpoints, 1), 2)
    again = source_of(table, checkpoints, 1)
    assert again.resumed
    assert sorted(first + read(again)) == table.names
    assert again.complete


class Follower:
    """The checkpoints of a stand-by. It gets the lease after `prefetch` has run the other process."""

    def __init__(self, checkpoints: Any, prefetch: Callable[[], object]):
        self.lease = self
        self.claim, self.read = checkpoints.claim, checkpoints.read
        self.write, self.remove = self._noting(checkpoints.write), self._noting(checkpoints.remove)
        self.tokens: list[int] = []
        self._steps = iter([lambda: 0, prefetch])

    def token(self) -> int:
        step = next(self._steps, None)
        return 7 if step is None else (step(), 0)[1]

    def _noting(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any) -> Any:
            self.tokens.append(arguments[-1])
            return change(*arguments)

        return noted


def test_who_takes_over_goes_on_where_the_other_stood_by_then_and_writes_under_its_own_lease(checkpoints):
    table = FakeTable(10)
    first = source_of(table, checkpoints, 1)
    seen: list[str] = []
    follower = Follower(checkpoints, lambda: seen.extend(read(first, 2)))
    second = source_of(table, follower, 1)
    assert len(seen) == 4
    assert second.resumed
    assert sorted(seen + read(second)) == table.names
    second.forget()
    assert set(follower.tokens) == {7}


def test_a_page_that_was_not_settled_is_read_again(checkpoints):
    table = FakeTable(4)
    next(iter(source_of(table, checkpoints, 1)))
    assert read(source_of(table, checkpoints, 1)) == ["i0", "i1", "i2", "i3"]


def test_what_is_not_done_comes_again_before_the_next_page(checkpoints):
    table = FakeTable(4)
    source = source_of(table, checkpoints, 1)
    assert read(source, 10, APPLIED, RETRY, RETRY) == ["i0", "i1", "i1", "i1", "i2", "i3"]
    assert len(table.requests) == 2


def test_what_was_not_done_at_an_interruption_is_read_again(checkpoints):
    table = FakeTable(4)
    read(source_of(table, checkpoints, 1), 1, APPLIED, RETRY)
    assert read(source_of(table, checkpoints, 1)) == ["i0", "i1", "i2", "i3"]


def test_a_job_that_is_forgotten_or_restarted_begins_anew(checkpoints):
    table = FakeTable(4)
    read(source_of(table, checkpoints, 1), 1)
    source = source_of(table, checkpoints, 1)
    source.restart()
    assert read(source) == ["i0", "i1", "i2", "i3"]
    source.forget()
    assert not source_of(table, checkpoints, 1).resumed


def test_another_number_of_segments_is_another_job(checkpoints):
    table = FakeTable(4)
    read(source_of(table, checkpoints, 1), 1)
    assert not source_of(table, checkpoints, 2).resumed


def test_segments_are_read_by_several_threads_at_once(checkpoints):
    table, seen, together = FakeTable(40), [], threading.Barrier(4, timeout=10)
    source = source_of(table, checkpoints, 4)

    def work() -> None:
        batches = iter(source)
        batch = next(batches)
        together.wait()
        seen.extend(record.typed_keys["id"]["S"] for record in batch.records)
        batch.settle(Report([APPLIED] * len(batch.records)))
        for batch in batches:
            seen.extend(record.typed_keys["id"]["S"] for record in batch.records)
            batch.settle(Report([APPLIED] * len(batch.records)))

    threads = [threading.Thread(target=work) for _ in range(source.workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(seen) == table.names


def test_a_throttled_table_is_asked_again_more_slowly(checkpoints):
    table, pace = FakeTable(4), ReadPace(100.0)
    table.trouble = [ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "Scan")]
    assert sorted(read(source_of(table, checkpoints, 1, pace=pace))) == table.names
    assert pace.rate < 100


def test_a_missing_permission_halts(checkpoints):
    table = FakeTable(4)
    table.trouble = [ClientError({"Error": {"Code": "AccessDeniedException"}}, "Scan")]
    with pytest.raises(Halt, match="permission"):
        read(source_of(table, checkpoints, 1))


def test_a_share_reads_about_so_much_and_other_items_each_time():
    """There are no checkpoints. With checkpoints, items that both samples draw would be read only once."""
    table = FakeTable(1000)
    first, second = (sorted(read(source_of(table, NoCheckpoints(), 4, share=0.1))) for _ in range(2))
    assert len(first) == len(second) == 100
    assert first != second


def test_an_answer_without_a_date_halts():
    with pytest.raises(Halt, match="no valid Date"):
        server_time({"ResponseMetadata": {"HTTPHeaders": {}}})


keys = st.fixed_dictionaries(
    {"PK": st.builds(lambda text: {"S": text}, st.text())},
    optional={"SK": st.builds(lambda data: {"B": data}, st.binary()) | st.just({"N": "1.50"})},
)


@given(keys)
def test_a_key_is_kept_as_text(key):
    assert key_from(key_to(key)) == key


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def spend(self, pace: ReadPace, seconds: float, units: float) -> None:
        """Read a hundred pages that each take `seconds` and consume `units`."""
        for _ in range(100):
            pace.wait()
            self.now += seconds
            pace.spent(units)


def test_reading_stays_within_the_units_that_are_allowed():
    clock = Clock()
    pace = ReadPace(50.0, clock, clock.sleep)
    clock.spend(pace, 0.01, 25.0)
    assert clock.now == pytest.approx(50.0, rel=0.03)


def test_without_a_limit_a_throttled_table_gets_one_that_grows_again():
    clock = Clock()
    pace = ReadPace(0.0, clock, clock.sleep)
    clock.spend(pace, 0.1, 10.0)
    assert pace.rate == 0
    pace.throttled()
    slow = pace.rate
    assert slow == pytest.approx(50.0, rel=0.05)
    pace.spent(10.0)
    assert pace.rate > slow


def test_a_limit_is_never_exceeded_after_a_throttling():
    clock = Clock()
    pace = ReadPace(10.0, clock, clock.sleep)
    pace.throttled()
    assert pace.rate == 5.0
    for _ in range(100):
        pace.spent(1.0)
    assert pace.rate == 10.0
