"""The streams of one table. Each time a stream is enabled, it is a new stream with a new ARN."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import Final

from ...checkpoints.stores import ENDED, LATEST, TRIM_HORIZON, Checkpoint, Checkpoints
from ...context import Context
from ...errors import Retry
from ...pipeline import Observer
from ...timing import RETENTION
from .shard_discovery import Stream
from .stream_listing import enabled_at, enabled_stream, list_streams

logger = logging.getLogger(__name__)

BEGUN: Final = "begun"
"""The checkpoint key, instead of a shard id, under which the ARN of the newest started stream is stored."""


class TableStreams:
    """The streams of one table that are read under one lease token, oldest first.

    There is only one Stream per ARN, whatever AWS answers, and so only one reader per shard.
    """

    def __init__(
        self,
        context: Context,
        table: str,
        checkpoints: Checkpoints,
        token: int,
        now: Callable[[], float],
        observer: Observer,
    ):
        self.streams: list[Stream] = []
        self._context = context
        self._table = table
        self._checkpoints = checkpoints
        self._token = token
        self._now = now
        self._observer = observer
        self._enabled_at = -math.inf
        self._begun: Checkpoint | None = None

    @property
    def trouble(self) -> str:
        """The reason why changes of the table reach no stream; "" while they do."""
        if not self.streams or not self.streams[-1].disabled:
            return ""
        return (
            f"the stream of table {self._table} is or was disabled: its changes are not indexed. Enable a stream"
            " with NEW_AND_OLD_IMAGES. It is read after the end of the disabled one."
        )

    def look(self, again: bool = False) -> Stream | None:
        """List the table's streams, and return the one to begin, if any.

        With `again`, the streams are read again from their oldest record, and all current readers stop. Raises
        Halt if the table has no stream, Retry, LeaseLost, and what boto3 raises.
        """
        arns = self._arns()
        self._enabled_at = max([self._enabled_at, *(s.enabled_at for s in self.streams if s.enabled_at)])
        gone = [stream for stream in self.streams if again or stream.arn not in arns]
        for stream in gone:
            stream.retire()
        self.streams = [stream for stream in self.streams if stream not in gone]
        if again:
            self._rewind(arns)
            gone = []
        following = self._following(arns)
        begun = self._begin(following, arns) if following else None
        for stream in gone:
            stream.forget()
        return begun

    def drop(self, stream: Stream) -> bool:
        """Remove a stream that has ended, if a later one is read. Return true if it was removed."""
        if not self.streams or stream is self.streams[-1]:
            return False
        self.streams = [other for other in self.streams if other is not stream]
        return True

    @property
    def resumes(self) -> bool:
        """True if this table's streams were read before, by this process or another."""
        self._begun = self._begun or self._recorded(self._arns())
        return self._begun is not None

    def _arns(self) -> list[str]:
        """Return the ARNs of the table's streams, oldest first. Raises Halt if none, and what boto3 raises."""
        arns = list_streams(self._context.dynamodb_streams, self._table)
        return arns or [enabled_stream(self._context.dynamodb, self._table)]

    def _rewind(self, arns: Sequence[str]) -> None:
        """Reset every checkpoint to the beginning of its shard; remove those of expired shards."""
        for arn in arns:
            for shard, at in self._checkpoints.claim(arn, self._token).items():
                if at.position == ENDED and self._now() - at.time > RETENTION:
                    self._checkpoints.remove(arn, shard, self._token)
                elif not self._checkpoints.write(arn, shard, Checkpoint(TRIM_HORIZON, self._now()), self._token):
                    raise Retry(f"could not store the checkpoint of shard {shard}")

    def _following(self, arns: Sequence[str]) -> str:
        """Return the ARN of the stream to begin; "" for none."""
        if self.streams:
            newest = self.streams[-1]
            later = arns[arns.index(newest.arn) + 1 :]
            newest.disabled = newest.disabled or bool(later)  # a table has at most one enabled stream
            return later[0] if later and all(stream.drained for stream in self.streams) else ""
        if self._begun is None:
            self._begun = self._recorded(arns)
        if self._begun is None and self._context.settings.start_at == LATEST:
            return arns[-1]
        return arns[0]

    def _recorded(self, arns: Sequence[str]) -> Checkpoint | None:
        """Return the newest stream that was begun, with its time.

        Earlier versions did not store it; then it is the newest stream with checkpoints.
        """
        found = self._checkpoints.claim(self._key, self._token).get(BEGUN)
        if found is not None:
            return found
        recorded = [arn for arn in arns if self._checkpoints.read(arn)]
        return Checkpoint(recorded[-1], enabled_at(recorded[-1])) if recorded else None

    def _begin(self, arn: str, arns: Sequence[str]) -> Stream:
        before = self._begun
        follows = before is not None and arn not in arns[: self._place(before.position, arns)]
        if before is None or follows:
            if before is not None:
                self._tell_gap(before, arn)
            begun = Checkpoint(arn, self._now())
            if not self._checkpoints.write(self._key, BEGUN, begun, self._token):
                raise Retry(f"could not store the checkpoint of stream {arn}")
            self._begun = begun
        settings = self._context.settings
        self.streams.append(
            Stream(
                arn,
                self._context.dynamodb_streams,
                self._checkpoints,
                self._token,
                settings.start_at if before is None else TRIM_HORIZON,
                settings.stream_batch_size,
                self._now,
                self._observer,
            )
        )
        return self.streams[-1]

    @staticmethod
    def _place(arn: str, arns: Sequence[str]) -> int:
        """Return the number of streams up to and including this one; 0 if it is not listed any more."""
        return arns.index(arn) + 1 if arn in arns else 0

    def _tell_gap(self, before: Checkpoint, arn: str) -> None:
        """Report the time without an enabled stream, from the last known time of the one before to this one."""
        until = enabled_at(arn)
        since = self._enabled_at
        if since == -math.inf:
            known = self._checkpoints.read(before.position).values()
            since = max([at.time for at in known if at.position != ENDED], default=before.time)
        logger.warning(
            "the table has a new stream, which lacks the changes made while no stream was enabled",
            extra={"table": self._table, "stream": arn, "before": before.position},
        )
        self._observer.lost(f"table {self._table}", f"stream {arn.rpartition('/')[2]}", min(since, until), until)

    @property
    def _key(self) -> str:
        return f"streams of table {self._table}"
