"""Which shards are read, and when: a child once its parent is done, and none twice.

The rules are those of the Kinesis Client Library. What is recorded of a shard survives a restart: so a parent
counts as ended only once its children are recorded, or they would be taken for shards that were there before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from ..checkpoints import ENDED, LATEST, TRIM_HORIZON
from .listing import Shard


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


def may_end(finished: Mapping[str, float], listed: Sequence[Shard], patience: float) -> list[str]:
    """Of shards that are closed and read to their end, so many seconds ago, those that can be recorded as ended.

    Their children are listed, or they are listed no longer themselves, or no children were listed for longer than
    `patience`: then there are none.
    """
    ids, parents = {shard.id for shard in listed}, {shard.parent for shard in listed}
    return [s for s, age in finished.items() if s in parents or s not in ids or age > patience]


def readable(positions: Mapping[str, str], parents: Mapping[str, str]) -> Iterator[str]:
    """The recorded shards that can be read: not at their end, and their parent is, or was never seen."""
    for shard, position in positions.items():
        if position != ENDED and positions.get(parents.get(shard, ""), ENDED) == ENDED:
            yield shard
