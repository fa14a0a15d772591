"""Describe a table before its scan, and read the clock of its server."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from ...context import Context
from ...errors import Halt
from ...pipeline.error_outcomes import reaching
from ..dynamodb_streams.stream_listing import enabled_at

AT_ONCE = 2.0
"""Maximum seconds between the creation of a table and of its stream by one request."""

NO_STREAM = "arn:aws:dynamodb:::table/{0}/stream/none"
"""The stream ARN used for a table without a stream."""


class MissingTable(Halt):
    """A table does not exist."""


@dataclass(frozen=True)
class Table:
    """A table: key attributes, stream ARN, approximate number of items, and the time of its server.

    `unstreamed` is the last moment, in Unix seconds, at which an item may have changed without a stream record:
    None without a stream, and minus infinity if the table has always had its stream.
    """

    name: str
    keys: tuple[str, ...]
    stream: str
    unstreamed: float | None
    items: int
    now: float


def describe(context: Context, name: str) -> Table:
    """Describe a table. Raises Halt if it does not exist or permission is missing, and Unreachable."""
    with reaching(f"table {name}"):
        dynamodb = context.dynamodb
        try:
            answer = dynamodb.describe_table(TableName=name)
        except dynamodb.exceptions.ResourceNotFoundException as error:
            raise MissingTable(
                f"the table {name} does not exist. Create it, or map its name in the setting names."
            ) from error
    found = answer["Table"]
    enabled = found.get("StreamSpecification", {}).get("StreamEnabled")
    return Table(
        name,
        keys=tuple(part["AttributeName"] for part in found["KeySchema"]),
        stream=found["LatestStreamArn"] if enabled else NO_STREAM.format(name),
        unstreamed=unstreamed(found) if enabled else None,
        items=int(found.get("ItemCount", 0)),
        now=server_time(answer),
    )


def unstreamed(table: Mapping[str, Any]) -> float:
    """Return when the table's stream was enabled, in Unix seconds; minus infinity if both were created together.

    The label of a stream is a time in UTC.
    """
    enabled = enabled_at(table["LatestStreamLabel"])
    return -math.inf if enabled - table["CreationDateTime"].timestamp() < AT_ONCE else enabled


def server_time(answer: Mapping[str, Any]) -> float:
    """Return the server time of an AWS answer, in Unix seconds. Raises Halt without a valid Date header."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        raise Halt(
            "DynamoDB's response has no valid Date header, which is needed for the versions of scanned items"
        ) from None
