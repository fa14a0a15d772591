"""Reads of documents on the real OpenSearch, while shards of DynamoDB Local close every three seconds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from itertools import chain, repeat
from pathlib import Path

import pytest
from containers import Container
from deployments import Deployment, aws_client, eventually
from faults import faulty
from test_order import watched

from service.checkpoints.stores import ENDED, SqliteCheckpoints


@pytest.fixture
def deployment(aws_url: str, short_shards_url: str, search_url: str, tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(
        aws_url,
        search_url,
        tmp_path,
        aws_endpoint_url_dynamodb=short_shards_url,
        aws_endpoint_url_dynamodb_streams=short_shards_url,
    )
    yield made
    made.app.close()


def test_neither_shards_that_close_nor_a_batch_that_comes_again_in_smaller_pieces_show_anything_older(
    deployment: Deployment, short_shards_url: str, tmp_path: Path
):
    """The first process is killed after its write, before it gets the response.

    DynamoDB Local dates changes in whole minutes, so no item may be deleted twice within one minute. The writer
    has to be slower than the second process, which reads three records at a time.
    """
    (stream,) = aws_client(short_shards_url, "dynamodbstreams").list_streams(TableName=deployment.table)["Streams"]

    def ended() -> int:
        """Return the number of shards that are read to their end."""
        with closing(SqliteCheckpoints(tmp_path / "positions.sqlite", "streamdex")) as checkpoints:
            positions = checkpoints.read(stream["StreamArn"]).values()
        return sum(at.position == ENDED for at in positions)

    faults = chain(["answered late"], repeat(""))
    with faulty(deployment.search_url, lambda: next(faults), random.Random(1)) as proxy:
        running = [Container(deployment, tmp_path, SEARCH_URL=proxy.url)]
        with watched(deployment, running, deleted=0.0, pause=0.05):
            eventually(proxy.holding.is_set, True)
            running[0].kill()
            running[0].wait()
            proxy.going_on.set()
            running[0] = Container(deployment, tmp_path, STREAMDEX_STREAM_BATCH_SIZE="3")
            eventually(lambda: ended() >= 3, True)
