"""The stream source's contract on DynamoDB Local, also with shards that close and iterators that expire early."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from test_checkpoints_contract import *  # noqa: F403  # the same tests run on the embedded server
from test_stream_contract import *  # noqa: F403
from test_stream_contract import Table


@pytest.fixture
def streams_url(dynamodb_url: str) -> str:
    return dynamodb_url


@pytest.mark.usefixtures("quick")
def test_a_stream_that_is_disabled_and_enabled_again_is_read_on(table: Table, caplog: Any):
    table.put("a", 0)
    table.read(lambda: table.of("a") == [0])
    table.stream(enabled=False)
    table.put("a", 1)
    time.sleep(1.1)  # the label of a stream is the time at which it was enabled
    table.stream(enabled=True)
    table.put("a", 2)
    table.read(lambda: table.of("a") == [0, 2])
    table.put("a", 3)
    table.read(lambda: table.of("a") == [0, 2, 3])
    assert caplog.text.count("the table has a new stream") == 1


@pytest.mark.usefixtures("quick")
def test_a_stream_that_is_disabled_and_enabled_again_while_it_is_read_is_read_on(table: Table, caplog: Any):
    table.put("a", 0)

    def switch() -> None:
        table.stream(enabled=False)
        time.sleep(1.5)
        table.stream(enabled=True)
        table.put("a", 1)

    switching = table.once_read("a", 0, switch)
    table.read(lambda: table.of("a") == [0, 1])
    switching.join()
    assert caplog.text.count("the table has a new stream") == 1


class TestShortShards:
    """A stream whose shards roll over every three seconds."""

    @pytest.fixture
    def streams_url(self, short_shards_url: str) -> str:
        return short_shards_url

    def test_children_are_read_after_their_parents(self, table: Table):
        def write() -> None:
            for number in range(60):
                for key in "ab":
                    table.put(key, number)
                time.sleep(0.3)

        writer = threading.Thread(target=write)
        writer.start()
        table.read(lambda: len(table.seen) >= 20)  # then the process restarts
        table.read(lambda: not writer.is_alive() and len(table.seen) >= 120, within=90)
        assert [table.of(key) for key in "ab"] == [list(range(60))] * 2
        (stream,) = {
            row[0]
            for row in table.checkpoints._execute(
                "SELECT DISTINCT stream FROM positions WHERE stream LIKE 'arn:%'"
            )
        }
        assert len(table.checkpoints.read(stream)) > 2
