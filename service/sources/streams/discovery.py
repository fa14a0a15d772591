"""The shards of one stream: what is recorded of them, which can be read, and when the stream is at its end."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from ...dispatch import SILENT, Lag, Observer
from ...errors import Retry
from ..checkpoints import ENDED, LATEST, TRIM_HORIZON, Checkpoint, Checkpoints
from ..timing import RETENTION
from .lineage import may_end, readable, unrecorded
from .listing import ShardLister
from .reader import ShardReader
from .status import CLOSED, READING, UNLISTED, WAITING, ShardStatus
from .status import ENDED as DONE

LAG: Final = 600.0
"""Seconds after which a stream that is disabled has listed all the shards that it will ever have."""


@dataclass
class Stream:
    """One stream as it is known so far, under the lease of a token.

    `start` is where it is read from: if nothing of it is recorded, and only until a first look is.
    """

    arn: str
    client: Any
    checkpoints: Checkpoints
    token: int
    start: str
    limit: int
    now: Callable[[], float]
    observer: Observer = SILENT
    ended: bool = False
    _lister: ShardLister = field(init=False)
    _at: dict[str, Checkpoint] | None = None
    _parents: dict[str, str] = field(default_factory=dict)
    _readers: dict[str, ShardReader] = field(default_factory=dict)
    _finished: dict[str, float] = field(default_factory=dict)
    _missed: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._lister = ShardLister(self.client, self.arn)

    @property
    def waits(self) -> bool:
        """Whether a shard is read to its end and its children are not listed yet."""
        return bool(self._finished)

    def lag(self) -> Lag:
        """How far the shard that is most behind is behind."""
        return worst_lag(reader.lag() for reader in list(self._readers.values()))

    def status(self) -> list[ShardStatus]:
        """Where reading each shard stands, by their ids; other threads read on meanwhile."""
        at, readers = dict(self._at or {}), dict(self._readers)
        return [self._status(shard, at, readers.get(shard)) for shard in sorted(at)]

    def finish(self, reader: ShardReader) -> None:
        """Takes note that a shard is read to its end."""
        self._finished.setdefault(reader.shard, self.now())

    def discover(self) -> list[ShardReader] | None:
        """Looks at a page of shards; after the last, those that can be read now and could not before, else None.

        Only one thread may be in here at a time. Raises Halt, LeaseLost, Retry, and what boto3 raises.
        """
        if self._at is None:
            self._at = resumed(self.checkpoints.claim(self.arn, self.token))
            self.start = TRIM_HORIZON if self._at else self.start
        listing = self._lister.next()
        if listing is None:
            return None
        for shard, position in unrecorded(listing.shards, self._at, self.start).items():
            self._record(shard, position)
        self.start = TRIM_HORIZON
        self._parents |= {shard.id: shard.parent for shard in listing.shards}
        now = self.now()
        finished = {shard: now - when for shard, when in dict(self._finished).items()}  # other threads add to it
        for shard in may_end(finished, listing.shards, LAG if listing.disabled else RETENTION):
            self._record(shard, ENDED)
            del self._finished[shard], self._readers[shard]
        self._forget({shard.id for shard in listing.shards})
        positions = {shard: at.position for shard, at in self._at.items()}
        self.ended = listing.disabled and all(position == ENDED for position in positions.values())
        return [self._open(s) for s in readable(positions, self._parents) if self._is_there(s)]

    def _record(self, shard: str, position: str) -> None:
        """Keeps what is relied on from now on. Raises Retry where that has to wait."""
        assert self._at is not None
        checkpoint = Checkpoint(position, self.now())
        if not self.checkpoints.write(self.arn, shard, checkpoint, self.token):
            raise Retry(f"shard {shard} could not be recorded")
        self._at[shard] = checkpoint

    def _status(self, shard: str, at: Mapping[str, Checkpoint], reader: ShardReader | None) -> ShardStatus:
        parent = self._parents.get(shard, "")
        if reader is not None:
            state, checkpoint, lag = CLOSED if reader.finished else READING, reader.at, reader.lag()
            return ShardStatus(shard, parent, state, checkpoint.position, checkpoint.time, lag)
        checkpoint = at[shard]
        if checkpoint.position == ENDED:
            state = DONE
        else:
            state = WAITING if parent in at and at[parent].position != ENDED else UNLISTED
        return ShardStatus(shard, parent, state, checkpoint.position, checkpoint.time, None)

    def _is_there(self, shard: str) -> bool:
        """Whether a shard without a reader gets one: it was listed once, or was missing from two listings.

        Listings lag behind. What was recorded and is gone for good is read all the same: that tells what was lost.
        """
        if shard in self._readers:
            return False
        self._missed[shard] += shard not in self._parents
        return shard in self._parents or self._missed[shard] > 1

    def _open(self, shard: str) -> ShardReader:
        assert self._at is not None
        reader = ShardReader(
            self.client,
            self.arn,
            shard,
            partial(self._keep, shard),
            at=self._at[shard],
            limit=self.limit,
            observer=self.observer,
            now=self.now,
        )
        self._readers[shard] = reader
        return reader

    def _keep(self, shard: str, checkpoint: Checkpoint) -> None:
        self.checkpoints.write(self.arn, shard, checkpoint, self.token)

    def _forget(self, listed: set[str]) -> None:
        """Forgets shards that have ended and are no longer kept by the stream."""
        assert self._at is not None
        for shard, at in list(self._at.items()):
            if at.position == ENDED and shard not in listed and self.now() - (at.time or 0) > 2 * RETENTION:
                del self._at[shard]
                self._parents.pop(shard, None)
                self._missed.pop(shard, None)
                self.checkpoints.remove(self.arn, shard, self.token)


def worst_lag(lags: Iterable[Lag]) -> Lag:
    found = list(lags)
    return Lag(
        max((lag.unread for lag in found), default=0.0),
        min((lag.left for lag in found), default=math.inf),
        max((lag.checkpoint for lag in found), default=0.0),
    )


def resumed(recorded: Mapping[str, Checkpoint]) -> dict[str, Checkpoint]:
    """What was recorded, as a process that starts anew goes on from it.

    LATEST is another place by now. To leave out nothing that came since, the shard is read from its beginning.
    """
    return {
        shard: Checkpoint(TRIM_HORIZON, at.time) if at.position == LATEST else at for shard, at in recorded.items()
    }
