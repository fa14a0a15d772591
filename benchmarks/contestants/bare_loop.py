"""A bare loop: call GetRecords page after page, and post the pre-serialised body of each page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..capture import bodies_of
from ..clients import aws_client
from ..work import TABLE
from .limit import HEADERS, pool_of


def prepare(event: Path, url: str, index: str) -> Callable[[], Any]:
    place = json.loads(event.read_bytes())
    client = aws_client(place["aws"], "dynamodbstreams")
    (stream,) = client.list_streams(TableName=TABLE)["Streams"]
    arn = stream["StreamArn"]
    bodies = [
        bodies_of({"Records": [{**record, "eventSourceARN": arn} for record in page]}, index)
        for page in pages(client, arn, place["records"])
    ]
    pool = pool_of(url)

    def run() -> None:
        for page, ready in zip(pages(client, arn, place["records"]), bodies, strict=True):
            assert page
            for body in ready:
                answer = pool.request("POST", "/_bulk", body=body, headers=HEADERS)
                assert answer.status == 200, answer.data[:500]

    return run


def pages(client: Any, arn: str, records: int) -> Iterator[list[Any]]:
    """Yield pages of the stream's only shard until they hold this many records."""
    (shard,) = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    place = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    iterator = client.get_shard_iterator(**place)["ShardIterator"]
    while records > 0:
        answer = client.get_records(ShardIterator=iterator, Limit=1000)
        iterator = answer["NextShardIterator"]
        records -= len(answer["Records"])
        if answer["Records"]:
            yield answer["Records"]
