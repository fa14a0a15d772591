"""The lease of a group in the checkpoint table. One poller of the group holds it; the others stand by.

This follows "Building Distributed Locks with the DynamoDB Lock Client" (AWS Database Blog). The holder increments
a heartbeat counter. A stand-by takes over if the counter does not change for the lease time. Each process uses its
own clock; clocks are never compared. The holder measures its lease time from before the request, so it stops
before another process starts.
"""

from __future__ import annotations

import logging
import uuid
from threading import Condition, Lock, Thread
from typing import Any, Final, Protocol

from ..errors import LeaseLost
from ..pipeline.error_outcomes import describe, is_transient, trail_of
from ..retry_policy import LONGEST, RetryPolicy
from ..timing import REAL, Timing

logger = logging.getLogger(__name__)

LEASE: Final = "lease"
"""The sort key of a group's lease. No shard has this name."""

HELD: Final = "#owner = :me AND #token <= :token"
"""The condition of a renewal. It accepts a repeated renewal (the response may be lost) but not an outdated one."""

SHORTEST: Final = 0.05
"""The shortest backoff of a failed renewal, in seconds."""


class Lease(Protocol):
    """The right to read the streams of a group."""

    def token(self) -> int:
        """Return the fencing token, which grows with each new holder; 0 if this process is not the holder."""
        ...


class LocalLease:
    """The lease of a checkpoint store that only one process uses. It is always held."""

    def token(self) -> int:
        return 1


def check(lease: Lease, token: int) -> None:
    """Raise LeaseLost unless this process holds the lease with this token."""
    if not token or lease.token() != token:
        raise LeaseLost("the lease of this poller has expired: another poller of the group may hold it")


class TableLease(Thread):
    """A lease in a DynamoDB table. Its own thread renews it until it is released."""

    def __init__(
        self, dynamodb: Any, table: str, group: str, seconds: float, timing: Timing = REAL, owner: str = ""
    ):
        """`seconds` is the lease time: another process takes over if the holder does not renew within it."""
        super().__init__(name=f"lease of {group}", daemon=True)
        self.owner = owner or uuid.uuid4().hex
        self.key = {"stream": {"S": group}, "shard": {"S": LEASE}}
        self._dynamodb = dynamodb
        self._table = table
        self._group = group
        self._seconds = seconds
        self._timing = timing
        self._clock = timing.clock
        self._lock = Lock()
        self._token = 0
        self._until = 0.0
        self._seen: tuple[int, int] | None = None
        self._seen_at = 0.0
        self._released = False
        self._wake = Condition()

    def token(self) -> int:
        with self._lock:
            return self._token if self._clock() < self._until else 0

    def run(self) -> None:
        while not self._released:
            due = self._clock() + self._seconds / 3
            try:
                self.beat()
            except Exception as error:  # the thread goes on, because the next heartbeat is due anyway
                reason = f"unexpected {trail_of(error)}"
                logger.error("lease not renewed", extra={"group": self._group, "reason": reason})
            self._rest(due - self._clock())

    def beat(self) -> None:
        """Renew the lease, or try to take it over.

        A failed renewal is retried with a short backoff until the next heartbeat is due, because the lease time is
        running out.
        """
        due = self._clock() + self._seconds / 3
        failures, policy = 0, RetryPolicy(shortest=SHORTEST, longest=LONGEST, chance=self._timing.chance)
        while (error := self._try()) is not None:
            failures += 1
            pause = policy.pause_after(failures)
            if not self._token or not is_transient(error) or self._clock() + pause >= due or self._released:
                fields = {"group": self._group, "reason": describe(error), "tries": failures}
                logger.warning("lease not renewed", extra=fields)
                return
            self._rest(pause)

    def release(self) -> None:
        """Release the lease, so that a stand-by need not wait for the lease time."""
        self._released = True
        with self._wake:
            self._wake.notify_all()
        if self.is_alive():
            self.join(self._seconds)
        if not self.token():
            return
        try:
            self._write(self._token, "", HELD)
        except Exception as error:  # a stand-by then waits for the lease time
            logger.warning("lease not released", extra={"group": self._group, "reason": describe(error)})
        self._token = 0

    def _rest(self, seconds: float) -> None:
        with self._wake:
            if seconds > 0 and not self._released:
                self._timing.wait(self._wake, seconds)

    def _try(self) -> Exception | None:
        """Try once to renew or take the lease. Return the error of a failed request."""
        try:
            if self._token:
                self._renew()
            else:
                self._acquire()
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            if self._token:
                logger.warning("lease lost", extra={"group": self._group})
            self._token = 0
        except Exception as error:
            return error
        return None

    def _renew(self) -> None:
        """Renew the lease. If it had expired, use a new token, so that earlier work cannot be saved."""
        began = self._clock()
        token = self.token() or self._token + 1
        self._write(token, self.owner, HELD)
        if not self._hold(token, began + self._seconds):
            self._renew()

    def _hold(self, token: int, until: float) -> bool:
        """Hold the lease until `until`. Return False if the token has expired: others may have seen that."""
        with self._lock:
            if token == self._token and self._clock() >= self._until:
                return False
            self._token, self._until = token, until
            return True

    def _acquire(self) -> None:
        found = self._dynamodb.get_item(TableName=self._table, Key=self.key, ConsistentRead=True).get("Item")
        if found is None:
            # The first token is not 1: checkpoints may still have tokens of a lease item that was deleted.
            self._take(int(self._timing.now()), "attribute_not_exists(#owner)")
            return
        owner, token, beat = found["owner"]["S"], int(found["token"]["N"]), int(found["beat"]["N"])
        if self._seen != (token, beat):
            if self._seen is None and owner not in ("", self.owner):
                logger.info("standing by: another poller holds the lease", extra={"group": self._group})
            self._seen, self._seen_at = (token, beat), self._clock()
        # If the owner is this process, an earlier request succeeded but its response was lost.
        if owner in ("", self.owner) or self._clock() - self._seen_at >= self._seconds:
            self._take(token + 1, "#token = :seen AND #beat = :beat")

    def _take(self, token: int, condition: str) -> None:
        began = self._clock()
        self._write(token, self.owner, condition)
        self._hold(token, began + self._seconds)
        self._seen = None
        logger.info("lease acquired", extra={"group": self._group, "token": token})

    def _write(self, token: int, owner: str, condition: str) -> None:
        values: dict[str, Any] = {
            ":owner": {"S": owner},
            ":token": {"N": str(token)},
            ":one": {"N": "1"},
            ":none": {"N": "0"},
            ":me": {"S": self.owner},
        }
        if self._seen is not None:
            values |= {":seen": {"N": str(self._seen[0])}, ":beat": {"N": str(self._seen[1])}}
        names = {"#owner": "owner", "#token": "token", "#beat": "beat"}
        self._dynamodb.update_item(
            TableName=self._table,
            Key=self.key,
            UpdateExpression="SET #owner = :owner, #token = :token, #beat = if_not_exists(#beat, :none) + :one",
            ConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={name: value for name, value in values.items() if used(name, condition)},
        )


def used(name: str, condition: str) -> bool:
    """True if an expression uses the value. DynamoDB rejects requests with unused values."""
    return name in (":owner", ":token", ":one", ":none") or name in condition
