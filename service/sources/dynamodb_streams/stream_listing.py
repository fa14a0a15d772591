"""List the streams of a table and the shards of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ...errors import Halt
from ...pipeline.error_outcomes import is_transient, reaching


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard from DescribeStream. `parent` is "" without one; a `closed` shard gets no more records."""

    id: str
    parent: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """A stream with its shards. A `disabled` stream gets no more records: all its shards are closed."""

    shards: Sequence[Shard]
    disabled: bool

    @property
    def ids(self) -> set[str]:
        """The ids of the shards."""
        return {shard.id for shard in self.shards}


def list_streams(client: Any, table: str) -> list[str]:
    """Return the ARNs of a table's streams, oldest first. A re-enabled stream leaves two for a day.

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


def enabled_at(label: str) -> float:
    """Return when a stream was enabled, in Unix seconds. Its label and its ARN end in that time in UTC."""
    return datetime.fromisoformat(label.rpartition("/")[2].rstrip("Z")).replace(tzinfo=UTC).timestamp()


def enabled_stream(dynamodb: Any, table: str) -> str:
    """Return the stream ARN of a table's description. Raises Halt if there is none, and Unreachable."""
    with reaching(f"table {table}"):
        try:
            description = dynamodb.describe_table(TableName=table)["Table"]
        except dynamodb.exceptions.ResourceNotFoundException as error:
            raise Halt(
                f"the table {table} does not exist. Create it, or map its name in the setting names."
            ) from error
    if not description.get("LatestStreamArn") or not description.get("StreamSpecification"):
        raise Halt(f"the table {table} has no stream. Enable one with NEW_AND_OLD_IMAGES.")
    return str(description["LatestStreamArn"])


class ShardLister:
    """List the shards of a stream page by page ("DescribeStream", DynamoDB Streams API Reference)."""

    def __init__(self, client: Any, stream: str):
        self._client = client
        self._stream = stream
        self._shards: list[Shard] = []
        self._page: dict[str, str] = {}

    def next(self) -> Listing | None:
        """Request the next page. Return None, or all shards after the last page; the listing then starts again.

        After throttling or another transient error, the next call requests the same page. Raises what boto3
        raises.
        """
        try:
            answer = self._client.describe_stream(StreamArn=self._stream, **self._page)
        except Exception as error:
            if not is_transient(error):
                self._shards, self._page = [], {}
            raise
        description = answer["StreamDescription"]
        self._shards += map(_shard, description["Shards"])
        if description.get("LastEvaluatedShardId"):
            self._page = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}
            return None
        disabled = description.get("StreamStatus") == "DISABLED"
        listing = Listing([replace(s, closed=s.closed or disabled) for s in self._shards], disabled)
        self._shards, self._page = [], {}
        return listing


def _shard(listed: Any) -> Shard:
    closed = "EndingSequenceNumber" in listed.get("SequenceNumberRange", {})
    return Shard(listed["ShardId"], listed.get("ParentShardId", ""), closed)
