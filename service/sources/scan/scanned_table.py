"""What has to be known of a table before it is scanned, and its server's clock."""

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
"""Seconds between the making of a table and of its stream that are one request."""

NO_STREAM = "arn:aws:dynamodb:::table/{0}/stream/none"
"""What stands for the stream of a table that has none."""


class MissingTable(Halt):
    """A table does not exist."""


@dataclass(frozen=True)
class Table:
    """A table as it is: its key attributes, its stream, about how many items it has, and the time of its server.

    `unstreamed` is the last moment at which an item may have changed without a record in the stream, in Unix
    seconds: None where there is no stream, and endlessly long ago where the table has had it from the beginning.
    """

    name: str
    keys: tuple[str, ...]
    stream: str
    unstreamed: float | None
    items: int
    now: float


def describe(context: Context, name: str) -> Table:
    """Raises Halt for a table that is not there, Unreachable, and Halt for a missing permission."""
    with reaching(f"table {name}"):
        dynamodb = context.dynamodb
        try:
            answer = dynamodb.describe_table(TableName=name)
        except dynamodb.exceptions.ResourceNotFoundException as error:
            raise MissingTable(f"the table {name} does not exist: create it, or map its name in names") from error
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
    """When a table's stream was enabled, by its label: the time in UTC."""
    enabled = enabled_at(table["LatestStreamLabel"])
    return -math.inf if enabled - table["CreationDateTime"].timestamp() < AT_ONCE else enabled


def server_time(answer: Mapping[str, Any]) -> float:
    """When AWS gave an answer, by its own clock, in Unix seconds. Raises Halt where it does not say."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        raise Halt("DynamoDB's answer has no Date: without it what is read cannot be dated") from None
