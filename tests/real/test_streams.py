"""The stream source's contract at DynamoDB Local, also with shards that close and iterators that expire soon."""

from __future__ import annotations

import threading
import time

import pytest
from test_checkpoints_contract import *  # noqa: F403  # the very tests that the embedded server passes
from test_stream_contract import *  # noqa: F403
from test_stream_contract import Table


@pytest.fixture
def streams_url(dynamodb_url: str) -> str:
    return dynamodb_url


class TestShortShards:
    """Shards roll over every three seconds."""

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
        table.read(lambda: len(table.seen) >= 20)  # a restart in between
        table.read(lambda: not writer.is_alive() and len(table.seen) >= 120, within=90)
        assert [table.of(key) for key in "ab"] == [list(range(60))] * 2
        (stream,) = {row[0] for row in table.checkpoints._execute("SELECT DISTINCT stream FROM positions")}
        assert len(table.checkpoints.read(stream)) > 2
