"""Where reading a stream stands, for whoever looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...pipeline import Lag

READING: Final = "reading"
CLOSED: Final = "read to its end"
"""It counts as ended once its children are listed."""
WAITING: Final = "waiting for its parent"
UNLISTED: Final = "not listed"
"""The next listings tell whether it is gone."""
ENDED: Final = "ended"


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """A shard: its id and its parent's ("" without one), one of the states above, and its checkpoint, with the
    Unix time that this is of. `lag` is None where nothing reads it."""

    id: str
    parent: str
    state: str
    position: str
    time: float
    lag: Lag | None


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """The stream of a table that is read now, and its shards by their ids. Without `leased` another process reads
    it, and this is what was known when that took over."""

    arn: str
    leased: bool
    shards: Sequence[ShardStatus]
