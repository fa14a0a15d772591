"""Idle delay: the time until a shard is read again."""

from __future__ import annotations

from typing import Final

from ...retry_policy import backoff

SHORTEST: Final = 0.05
"""Approximate first delay in seconds after an empty page or a failure; it grows with each repetition."""

GATHERING: Final = 0.1
"""Delay in seconds after a small page, so that the next one is larger: its records then cost less each."""

FEW: Final = 0.1
"""The fraction of the page limit below which a page is small."""

CAUGHT_UP: Final = 5.0
"""Maximum age in seconds of the last record for which the shard counts as caught up."""


IN_A_ROW: Final = 4
"""Maximum pages of one shard that are prefetched in a row while other shards wait."""


def after_nothing(idle: int, most: float) -> float:
    """Return the idle delay in seconds after `idle` empty pages in a row, at most `most`."""
    return backoff(idle, SHORTEST, most)


def after_records(size: int, limit: int, age: float, most: float) -> float:
    """Return the idle delay in seconds after `size` records of at most `limit`, at most `most`.

    `age` is the age of the last record in seconds. A small page of old records does not mean that the shard is
    caught up, because a page has 1 MB at most ("GetRecords", DynamoDB Streams API Reference). The next page is
    read at once.
    """
    return min(GATHERING, most) if size < FEW * limit and age < CAUGHT_UP else 0.0
