"""How long a shard rests before it is read again."""

from __future__ import annotations

from typing import Final

from ...backoff import backoff

SHORTEST: Final = 0.05
"""Seconds, about, before a shard that gave nothing, or failed, is read again; longer each time."""

GATHERING: Final = 0.1
"""Seconds in which a shard that gave little gathers more: each record of a fuller page costs less."""

FEW: Final = 0.1
"""The part of a whole page that is little."""

CAUGHT_UP: Final = 5.0
"""Seconds since the last record was made up to which it may well have been the newest."""


IN_A_ROW: Final = 4
"""Pages of one shard that are prefetched in a row while other shards wait."""


def after_nothing(idle: int, most: float) -> float:
    """Return the idle delay in seconds after so many empty pages in a row, at most `most`."""
    return backoff(idle, SHORTEST, most)


def after_records(size: int, limit: int, age: float, most: float) -> float:
    """Seconds after a page of `size` records of at most `limit`, the last of which is `age` seconds old.

    A short page with old records does not mean that there is little: it has 1 MB at most ("GetRecords", DynamoDB
    Streams API Reference), and what comes after it is waited for already.
    """
    return min(GATHERING, most) if size < FEW * limit and age < CAUGHT_UP else 0.0
