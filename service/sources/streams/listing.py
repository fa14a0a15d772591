"""What DynamoDB Streams lists: the streams of a table, the shards of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard as DescribeStream lists it; `parent` is "" for one that has none, `closed` if nothing is added."""

    id: str
    parent: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """A stream with its shards; nothing is added to a stream that is `disabled`."""

    shards: Sequence[Shard]
    disabled: bool


def list_streams(client: Any, table: str) -> list[str]:
    """The ARNs of a table's streams, oldest first: one that was enabled anew has two, for a day.

    Raises what boto3 raises. Source: "ListStreams", DynamoDB Streams API Reference.
    """
    streams: list[tuple[str, str]] = []
    page: dict[str, str] = {}
    while True:
        answer = client.list_streams(TableName=table, **page)
        streams += [(stream["StreamLabel"], stream["StreamArn"]) for stream in answer["Streams"]]
        if not answer.get("LastEvaluatedStreamArn"):
            return [arn for _, arn in sorted(streams)]
        page = {"ExclusiveStartStreamArn": answer["LastEvaluatedStreamArn"]}


def list_shards(client: Any, stream: str) -> Listing:
    """All shards of a stream, page after page ("DescribeStream", DynamoDB Streams API Reference)."""
    shards: list[Shard] = []
    page: dict[str, str] = {}
    while True:
        description = client.describe_stream(StreamArn=stream, **page)["StreamDescription"]
        shards += map(_shard, description["Shards"])
        if not description.get("LastEvaluatedShardId"):
            return Listing(shards, description.get("StreamStatus") == "DISABLED")
        page = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}


def _shard(listed: Any) -> Shard:
    closed = "EndingSequenceNumber" in listed.get("SequenceNumberRange", {})
    return Shard(listed["ShardId"], listed.get("ParentShardId", ""), closed)
