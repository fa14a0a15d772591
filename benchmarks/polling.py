"""`python -m benchmarks.polling AWS SEARCH INDEX`: the minimal loop that keeps an index in sync.

It polls the stream, posts each page and stores nothing. After an empty page it sleeps for as long as the container
sleeps at most by default.
"""

from __future__ import annotations

import sys
import time
from typing import Final

import orjson

from service.model.dynamodb_json import read_item

from .clients import aws_client
from .contestants.limit import HEADERS, pool_of
from .work import TABLE

REST: Final = 0.5


def main(aws: str, url: str, index: str) -> None:
    client, pool = aws_client(aws, "dynamodbstreams"), pool_of(url)
    (stream,) = client.list_streams(TableName=TABLE)["Streams"]
    arn = stream["StreamArn"]
    (shard,) = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    place = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    iterator = client.get_shard_iterator(**place)["ShardIterator"]
    while True:
        answer = client.get_records(ShardIterator=iterator, Limit=1000)
        iterator = answer["NextShardIterator"]
        lines = []
        for record in answer["Records"]:
            item = read_item(record["dynamodb"]["NewImage"])
            lines += [orjson.dumps({"index": {"_index": index, "_id": item["id"]}}), orjson.dumps(item)]
        if lines:
            pool.request("POST", "/_bulk", body=b"\n".join([*lines, b""]), headers=HEADERS)
        else:
            time.sleep(REST)


if __name__ == "__main__":
    main(*sys.argv[1:])
