"""The server behavior that the stream source relies on. The same tests run on moto and DynamoDB Local."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deployments import DEADLINE, aws_client, eventually

from service.checkpoints.stores import SqliteCheckpoints
from service.context import Context
from service.pipeline import Outcome, Report, Result
from service.settings import Settings
from service.sources.dynamodb_streams import StreamSource, stream_source

_numbers = itertools.count()


class Table:
    """A table with a stream, and the keys with their numbers that a group has read, in order."""

    def __init__(self, url: str, folder: Path):
        self.name = f"stream-{folder.name.lower().replace('_', '-')}-{next(_numbers)}"
        self._resource = aws_client(url, "dynamodb", "resource")
        self.create()
        self.url = url
        self.checkpoints = SqliteCheckpoints(folder / "positions.sqlite", "group")
        self.seen: list[tuple[str, int]] = []
        self.shards: set[str] = set()

    def create(self) -> None:
        self.items = self._resource.create_table(
            TableName=self.name,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.items.wait_until_exists()

    def put(self, key: str, number: int) -> None:
        self.items.put_item(Item={"id": key, "n": number})

    def stream(self, enabled: bool) -> None:
        specification = {"StreamEnabled": enabled} | ({"StreamViewType": "NEW_AND_OLD_IMAGES"} if enabled else {})
        self.items.meta.client.update_table(TableName=self.name, StreamSpecification=specification)

    def read(self, until: Callable[[], bool], within: float = DEADLINE, **settings: Any) -> None:
        """Run a process that reads with several threads until `until()` is true."""
        stopping = threading.Event()
        options = {"aws_endpoint_url": self.url, "poll_interval": 0.05, **settings}
        context = Context(Settings(**options))
        shards = StreamSource(context, self.name, self.checkpoints, stopping)

        def work() -> None:
            for batch in shards:
                for record in batch.records:
                    self.seen.append((record.keys["id"], record.new["n"]))
                batch.settle(Report([Result(Outcome.APPLIED)] * len(batch.records)))

        workers = [threading.Thread(target=work) for _ in range(shards.workers)]
        for worker in workers:
            worker.start()
        deadline = time.monotonic() + within
        while not until() and time.monotonic() < deadline:
            time.sleep(0.05)
        stopping.set()
        for worker in workers:
            worker.join(DEADLINE)
        context.close()
        assert until(), self.seen

    def once_read(self, key: str, number: int, change: Callable[[], None]) -> threading.Thread:
        """Start a thread that makes a change as soon as the process has read this number of the key."""

        def wait() -> None:
            eventually(lambda: number in self.of(key), True)
            change()

        waiting = threading.Thread(target=wait)
        waiting.start()
        return waiting

    def of(self, key: str) -> list[int]:
        return [number for name, number in self.seen if name == key]


@pytest.fixture
def table(streams_url: str, tmp_path: Path) -> Iterator[Table]:
    made = Table(streams_url, tmp_path)
    yield made
    made.checkpoints.close()
    made.items.delete()


def test_changes_are_read_in_the_order_of_each_item_and_no_more_after_a_restart(table: Table):
    for number in range(10):
        for key in "abc":
            table.put(key, number)
    table.read(lambda: len(table.seen) >= 30)
    assert [table.of(key) for key in "abc"] == [list(range(10))] * 3
    table.put("a", 10)
    table.read(lambda: len(table.seen) > 30)
    assert table.seen[30:] == [("a", 10)]


def test_what_is_written_while_it_is_read_is_read(table: Table):
    table.put("a", 0)
    writer = table.once_read("a", 0, lambda: table.put("a", 1))
    table.read(lambda: table.of("a") == [0, 1])
    writer.join()


def test_from_latest_on_only_what_comes_then_is_read(table: Table):
    table.put("a", 0)
    written = itertools.count(1)

    def something_came() -> bool:
        """Write a change unless the reader, which may start slowly, has read one. Return True if it has."""
        if not table.seen:
            table.put("a", next(written))
        return bool(table.seen)

    table.read(something_came, start_at="LATEST")
    seen = table.of("a")
    assert seen
    assert seen == list(range(seen[0], seen[0] + len(seen)))
    assert seen[0] > 0


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """List streams and shards every half second."""
    monkeypatch.setattr(stream_source, "STREAMS", 0.5)
    monkeypatch.setattr(stream_source, "REDISCOVERY", 0.5)


@pytest.mark.usefixtures("quick")
def test_a_table_that_was_deleted_and_made_again_is_read_and_is_a_gap(table: Table, caplog: Any):
    table.put("a", 0)

    def make_again() -> None:
        table.items.delete()
        table.create()
        table.put("a", 1)

    making = table.once_read("a", 0, make_again)
    table.read(lambda: table.of("a") == [0, 1])
    making.join()
    table.put("a", 2)
    table.read(lambda: table.of("a") == [0, 1, 2])
    assert caplog.text.count("the table has a new stream") == 1
