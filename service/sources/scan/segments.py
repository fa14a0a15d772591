"""The segments of a table, read by consistent scans. Each page is dated before its request."""

from __future__ import annotations

import base64
import json
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...checkpoints.stores import ENDED
from ...context import Context
from ...model.table_record import scanned
from ...pipeline.error_outcomes import is_transient
from ..partitions import Page, Part
from .read_rate import ReadPace
from .scanned_table import Table, server_time

PAGE: Final = 1000
"""Maximum items of one page; a page has 1 MB at most ("Scan", DynamoDB API Reference)."""


class Scan:
    """A parallel scan of a table. Its threads share the rate limit and the server's clock."""

    def __init__(self, context: Context, table: Table, segments: int, pace: ReadPace):
        self.segments = segments
        self._context = context
        self._table = table
        self._pace = pace
        self._now = table.now

    def read(self, segment: int, after: str) -> Page:
        """Return the page of a segment after a key. Raises Halt, and what boto3 raises.

        Its time is that of the previous answer, so that it is never later than the read.
        """
        self._pace.wait()
        read_at = self._now
        request: dict[str, Any] = {
            "TableName": self._table.name,
            "Segment": segment,
            "TotalSegments": self.segments,
            "ConsistentRead": True,
            "Limit": PAGE,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if after:
            request["ExclusiveStartKey"] = key_from(after)
        try:
            answer = self._context.dynamodb.scan(**request)
        except Exception as error:
            if is_transient(error):
                self._pace.throttled()
            raise
        units = float(answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0))
        self._pace.spent(units)
        self._now = server_time(answer)
        last = answer.get("LastEvaluatedKey")
        records = [scanned(item, self._table.keys, self._table.stream, read_at) for item in answer["Items"]]
        return Page(records, ENDED if last is None else key_to(last), read_at, units)


class Segment:
    """One segment of a scan, as a partition; its positions are typed keys as text."""

    def __init__(self, scan: Scan, number: int):
        self.name = str(number)
        self._scan = scan
        self._number = number

    def read(self, after: str) -> Page:
        return self._scan.read(self._number, after)


def segments_of(
    context: Context, table: Table, segments: int, pace: ReadPace, share: float = 1.0
) -> Sequence[Part]:
    """Return `segments` segments: the whole table or, with a `share` below 1, a random share of it."""
    total = math.ceil(segments / share)
    scan = Scan(context, table, total, pace)
    return [Segment(scan, number) for number in sorted(random.sample(range(total), segments))]


def key_to(key: Mapping[str, Any]) -> str:
    """Return a typed key as JSON text, with bytes as base64."""
    return json.dumps(key, default=lambda value: base64.b64encode(value).decode("ascii"))


def key_from(text: str) -> dict[str, Any]:
    """Return the typed key of a text from `key_to`."""
    found: dict[str, Any] = json.loads(text)
    return {
        name: {kind: base64.b64decode(value) if kind == "B" else value for kind, value in typed.items()}
        for name, typed in found.items()
    }
