"""The state of a stream and its shards, for the page and the commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...pipeline import Lag

READING: Final = "reading"
CLOSED: Final = "read to its end"
"""It becomes `ended` once its children are listed."""
WAITING: Final = "waiting for its parent"
UNLISTED: Final = "not listed"
"""The next listings show whether it is gone."""
ENDED: Final = "ended"


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """A shard: its id, its parent's id ("" without one), and one of the states above.

    `position` and `time` (Unix seconds) are its checkpoint. `lag` is None if nothing reads the shard.
    """

    id: str
    parent: str
    state: str
    position: str
    time: float
    lag: Lag | None


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """The current stream of a table, with its shards ordered by id.

    Without `leased`, another process reads the stream, and this is the state when that process took over.
    """

    arn: str
    leased: bool
    shards: Sequence[ShardStatus]
