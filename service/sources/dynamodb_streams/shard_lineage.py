"""Order of shards: a child is read after its parent has ended, and no shard is read twice.

The rules are those of the Kinesis Client Library. Checkpoints survive a restart. A parent therefore ends only once
its children are recorded: otherwise they would be taken for shards that existed at the first listing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import Enum, auto

from ...checkpoints.stores import ENDED, LATEST, TRIM_HORIZON
from .stream_listing import Shard

ABSENT = 2
"""Listings in a row without a shard after which the shard is gone."""


class Verdict(Enum):
    """The decision about a shard whose reader reached an end."""

    END = auto()
    READ_ON = auto()
    CONFIRM = auto()
    WAIT = auto()


def unrecorded(listed: Sequence[Shard], recorded: Collection[str], start: str) -> dict[str, str]:
    """Return the first positions of newly listed shards: `start`, or TRIM_HORIZON after the first listing.

    A shard that is listed later was created while the stream was read, so it is read from its beginning. A stream
    that is read from LATEST needs nothing from shards that are closed at the first listing.
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
    shard: Shard | None,
    *,
    missing: bool,
    confirmed: bool,
    absent: int,
    has_children: bool,
    waited_enough: bool,
) -> Verdict:
    """Decide, by the list of shards, whether an end that GetRecords reported is final.

    - `shard`: the listed shard; None if it was absent from the last `absent` listings.
    - `missing`: true if GetRecords answered that the shard does not exist.
    - `confirmed`: true if the end was reported after a listing showed the shard as closed. Before that, AWS may
      have reported it in error.
    - `waited_enough`: true if no more children can be listed.

    A closed shard ends once its children are listed, or with `waited_enough`.
    """
    if shard is None:
        return Verdict.END if absent >= ABSENT else Verdict.WAIT
    if missing:
        return Verdict.READ_ON
    if has_children or (shard.closed and waited_enough):
        return Verdict.END if confirmed else Verdict.CONFIRM
    return Verdict.WAIT if shard.closed else Verdict.READ_ON


def readable(positions: Mapping[str, str], parents: Mapping[str, str]) -> Iterator[str]:
    """Yield the recorded shards that can be read: not ended, with an ended or unknown parent."""
    for shard, position in positions.items():
        if position != ENDED and positions.get(parents.get(shard, ""), ENDED) == ENDED:
            yield shard
