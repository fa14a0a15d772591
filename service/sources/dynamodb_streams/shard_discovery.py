"""The shards of one stream: their checkpoints, the readable ones, and the end of the stream."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from ...checkpoints.stores import ENDED, LATEST, TRIM_HORIZON, Checkpoint, Checkpoints
from ...errors import Retry
from ...pipeline import SILENT, Lag, Observer
from ...timing import RETENTION
from .shard_lineage import ABSENT, Verdict, readable, unrecorded, verdict
from .shard_reader import ShardReader
from .stream_listing import Listing, ShardLister
from .stream_status import CLOSED, READING, UNLISTED, WAITING, ShardStatus
from .stream_status import ENDED as DONE

QUIET: Final = 10.0
"""Seconds of empty pages after which an open shard of a disabled stream counts as read.

Some emulators never close it.
"""

LAG: Final = 600.0
"""Seconds after which the listing of a disabled stream is complete."""


@dataclass
class Stream:
    """The known state of one stream, under the lease of a token.

    - `start`: the position of new shards, if no checkpoint exists; it applies only to the first listing.
    - `enabled_at`: when the stream was last listed as enabled, in Unix seconds.
    - `retired`: if true, nothing of the stream is read or stored.
    """

    arn: str
    client: Any
    checkpoints: Checkpoints
    token: int
    start: str
    limit: int
    now: Callable[[], float]
    observer: Observer = SILENT
    disabled: bool = False
    ended: bool = False
    retired: bool = False
    enabled_at: float | None = None
    _listed: bool = False
    _lister: ShardLister = field(init=False)
    _at: dict[str, Checkpoint] | None = None
    _parents: dict[str, str] = field(default_factory=dict)
    _readers: dict[str, ShardReader] = field(default_factory=dict)
    _finished: dict[str, float] = field(default_factory=dict)
    _absent: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._lister = ShardLister(self.client, self.arn)

    @property
    def waits(self) -> bool:
        """True if the next listing decides something: about a shard read to its end, or about the stream."""
        return bool(self._finished) or (self.disabled and not self.ended)

    @property
    def drained(self) -> bool:
        """True if the stream is disabled and every listed shard was read to its end."""
        return self.disabled and self._listed and all(map(self._is_drained, dict(self._at or {}).items()))

    @property
    def shards(self) -> set[str]:
        """The ids of the shards with a reader."""
        return set(self._readers)

    def lag(self) -> Lag:
        """Return the largest lag of all shards."""
        return worst_lag(reader.lag() for reader in list(self._readers.values()))

    def status(self) -> list[ShardStatus]:
        """Return the state of each shard, ordered by id. Other threads may read shards at the same time."""
        at, readers = dict(self._at or {}), dict(self._readers)
        return [self._status(shard, at, readers.get(shard)) for shard in sorted(at)]

    def finish(self, reader: ShardReader) -> None:
        """Record that a shard was read to its end."""
        self._finished.setdefault(reader.shard, self.now())

    def discover(self) -> list[ShardReader] | None:
        """List one page of shards. Return the newly readable shards after the last page, None before it.

        Not safe for concurrent calls. Raises Halt, LeaseLost, Retry, and what boto3 raises.
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
        self._absent = Counter({shard: self._absent[shard] + 1 for shard in self._at if shard not in listing.ids})
        self.disabled = self.disabled or listing.disabled
        self._listed = True
        if not listing.disabled:
            self.enabled_at = self.now()
        read_on = self._judge(listing)
        self._forget(listing.ids)
        positions = {shard: at.position for shard, at in self._at.items()}
        self.ended = self.disabled and all(position == ENDED for position in positions.values())
        read_on += [self._open(shard) for shard in readable(positions, self._parents) if self._is_there(shard)]
        self._mark_closed(listing)
        return read_on

    def _mark_closed(self, listing: Listing) -> None:
        closed = {shard.id for shard in listing.shards if shard.closed}
        closed |= {shard.parent for shard in listing.shards}
        for shard in closed & set(self._readers):
            self._readers[shard].listed_closed = True

    def retire(self) -> None:
        """Stop reading and storing the stream: AWS does not list it any more."""
        self.retired = True

    def forget(self) -> None:
        """Remove the checkpoints of a retired stream."""
        for shard in self._at or {}:
            self.checkpoints.remove(self.arn, shard, self.token)

    def _is_drained(self, recorded: tuple[str, Checkpoint]) -> bool:
        shard, at = recorded
        if at.position == ENDED or shard in self._finished:
            return True
        reader = self._readers.get(shard)
        return reader is not None and reader.quiet_for() >= QUIET

    def _judge(self, listing: Listing) -> list[ShardReader]:
        """Record the shards that have ended, and return the readers that continue."""
        listed, parents = {shard.id: shard for shard in listing.shards}, {shard.parent for shard in listing.shards}
        patience = LAG if self.disabled else RETENTION
        read_on = []
        for shard, since in dict(self._finished).items():  # a copy, because other threads add to it
            reader = self._readers[shard]
            decided = verdict(
                listed.get(shard),
                missing=reader.missing,
                confirmed=reader.confirmed,
                absent=self._absent[shard],
                has_children=shard in parents,
                waited_enough=self.now() - since > patience,
            )
            if decided is Verdict.END:
                self._record(shard, ENDED)
                if reader.missing:
                    reader.lose()
                del self._finished[shard], self._readers[shard]
            elif decided is not Verdict.WAIT:
                del self._finished[shard]
                reader.resume(doubt=decided is Verdict.READ_ON)
                read_on.append(reader)
        return read_on

    def _record(self, shard: str, position: str) -> None:
        """Store a checkpoint that later decisions need. Raises Retry if it could not be written."""
        assert self._at is not None
        checkpoint = Checkpoint(position, self.now())
        if not self.retired and not self.checkpoints.write(self.arn, shard, checkpoint, self.token):
            raise Retry(f"could not store the checkpoint of shard {shard}")
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
        """True if a shard without a reader gets one: it was listed once, or was absent from two listings.

        Listings lag behind. A recorded shard that is gone for good is read too, which reports the lost records.
        """
        if shard in self._readers:
            return False
        return shard in self._parents or self._absent[shard] >= ABSENT

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
        if not self.retired:
            self.checkpoints.write(self.arn, shard, checkpoint, self.token)

    def _forget(self, listed: set[str]) -> None:
        """Remove the checkpoints of ended shards that the stream does not list any more."""
        assert self._at is not None
        for shard, at in list(self._at.items()):
            if at.position == ENDED and shard not in listed and self.now() - (at.time or 0) > 2 * RETENTION:
                del self._at[shard]
                self._parents.pop(shard, None)
                self.checkpoints.remove(self.arn, shard, self.token)


def worst_lag(lags: Iterable[Lag]) -> Lag:
    """Return the largest lag, with the shortest remaining retention."""
    found = list(lags)
    return Lag(
        max((lag.unread for lag in found), default=0.0),
        min((lag.left for lag in found), default=math.inf),
        max((lag.checkpoint for lag in found), default=0.0),
    )


def resumed(recorded: Mapping[str, Checkpoint]) -> dict[str, Checkpoint]:
    """Return the stored checkpoints for a process that starts.

    LATEST points to a later position now. To miss no record, such a shard is read from its beginning.
    """
    return {
        shard: Checkpoint(TRIM_HORIZON, at.time) if at.position == LATEST else at for shard, at in recorded.items()
    }
