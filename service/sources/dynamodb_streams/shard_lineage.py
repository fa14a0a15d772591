"""Which shards are read, and when: a child once its parent is done, and none twice.

The rules are those of the Kinesis Client Library. What is recorded of a shard survives a restart: so a parent
counts as ended only once its children are recorded, or they would be taken for shards that were there before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import Enum, auto

from ...checkpoints.stores import ENDED, LATEST, TRIM_HORIZON
from .stream_listing import Shard

ABSENT = 2
"""Listings in a row without a shard, after which it is gone."""


class Verdict(Enum):
    """The decision about a shard whose reader got to an end."""

    END = auto()
    READ_ON = auto()
    WAIT = auto()


def unrecorded(listed: Sequence[Shard], recorded: Collection[str], start: str) -> dict[str, str]:
    """The positions of shards that turn up: `start`, which is their beginning once a first look is recorded.

    What turns up later was born while the stream was read, wherever that began. A stream that is read from LATEST
    on has nothing more to give in shards that are closed.
    """
    positions = {}
    for shard in listed:
        if shard.id in recorded:
            continue
        if start == TRIM_HORIZON:
            positions[shard.id] = TRIM_HORIZON
        else:
            positions[shard.id] = ENDED if shard.closed else LATEST
    return positions


def verdict(
    shard: Shard | None, *, missing: bool, absent: int, has_children: bool, waited_enough: bool
) -> Verdict:
    """Decide by the list of shards what an end means that GetRecords reported.

    `shard` is the shard as it is listed, None if it is not, and that `absent` times in a row. `missing` is true if
    the reader was told that the shard does not exist. A closed shard ends once its children are listed, or once
    nobody can expect any more (`waited_enough`).
    """
    if shard is None:
        return Verdict.END if absent >= ABSENT else Verdict.WAIT
    if missing:
        return Verdict.READ_ON
    if has_children:
        return Verdict.END
    if not shard.closed:
        return Verdict.READ_ON
    return Verdict.END if waited_enough else Verdict.WAIT


def readable(positions: Mapping[str, str], parents: Mapping[str, str]) -> Iterator[str]:
    """The recorded shards that can be read: not at their end, and their parent is, or was never seen."""
    for shard, position in positions.items():
        if position != ENDED and positions.get(parents.get(shard, ""), ENDED) == ENDED:
            yield shard
