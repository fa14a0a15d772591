"""One poller of a group at a time: a lease in the table of checkpoints, and others on stand-by.

After "Building Distributed Locks with the DynamoDB Lock Client" (AWS Database Blog): the holder counts a beat up,
and who sees the same beat for the whole lease time, by its own clock, takes over. No two clocks are compared. The
holder counts its time from before it asked, so it stops before anybody else begins.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from threading import Event, Thread
from typing import Any, Protocol

from ..dispatch.failures import describe
from ..errors import LeaseLost

logger = logging.getLogger(__name__)

LEASE = "lease"
"""The sort key of a group's lease, which is the name of no shard."""


HELD = "#owner = :me AND #token = :held"


class Lease(Protocol):
    """Who may read the streams of a group."""

    def token(self) -> int:
        """A number that grows each time the lease changes hands; 0 while this process does not hold it."""
        ...


class Unshared:
    """The lease of checkpoints that only one process can reach."""

    def token(self) -> int:
        return 1


def check(lease: Lease, token: int) -> None:
    """Raises LeaseLost unless the lease is still the one of this token."""
    if lease.token() != token:
        raise LeaseLost("another poller of the group has taken over, or may have: this one was away for too long")


class TableLease(Thread):
    """A lease in a DynamoDB table, renewed in a thread of its own until it is released."""

    def __init__(
        self,
        dynamodb: Any,
        table: str,
        group: str,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        owner: str = "",
    ):
        """`seconds` is how long the holder may be silent before another takes over."""
        super().__init__(name=f"lease of {group}", daemon=True)
        self.owner = owner or uuid.uuid4().hex
        self.key = {"stream": {"S": group}, "shard": {"S": LEASE}}
        self._dynamodb = dynamodb
        self._table = table
        self._group = group
        self._seconds = seconds
        self._clock = clock
        self._token = 0
        self._until = 0.0
        self._seen: tuple[int, int] | None = None
        self._seen_at = 0.0
        self._released = Event()

    def token(self) -> int:
        return self._token if self._clock() < self._until else 0

    def run(self) -> None:
        while True:
            self.beat()
            if self._released.wait(self._seconds / 3):
                return

    def beat(self) -> None:
        """Renews the lease, or looks whether it can be had. What fails is tried again with the next beat."""
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
            logger.warning("lease not renewed", extra={"group": self._group, "reason": describe(error)})

    def release(self) -> None:
        """Lets go of the lease, so that a stand-by need not wait."""
        self._released.set()
        if self.is_alive():
            self.join(self._seconds)
        if not self.token():
            return
        try:
            self._write(self._token, "", HELD)
        except Exception as error:  # whoever stands by waits for the lease time instead
            logger.warning("lease not released", extra={"group": self._group, "reason": describe(error)})
        self._token = 0

    def _renew(self) -> None:
        """Goes on, with another token after a time without: what was read in it is worth nothing."""
        began = self._clock()
        token = self._token + (began >= self._until)
        self._write(token, self.owner, HELD)
        self._token, self._until = token, began + self._seconds

    def _acquire(self) -> None:
        found = self._dynamodb.get_item(TableName=self._table, Key=self.key, ConsistentRead=True).get("Item")
        if found is None:
            self._take(1, "attribute_not_exists(#owner)")
            return
        token, beat = int(found["token"]["N"]), int(found["beat"]["N"])
        if self._seen != (token, beat):
            if self._seen is None and found["owner"]["S"]:
                logger.info("standing by: another poller holds the lease", extra={"group": self._group})
            self._seen, self._seen_at = (token, beat), self._clock()
        if not found["owner"]["S"] or self._clock() - self._seen_at >= self._seconds:
            self._take(token + 1, "#token = :seen AND #beat = :beat")

    def _take(self, token: int, condition: str) -> None:
        began = self._clock()
        self._write(token, self.owner, condition)
        self._token, self._until, self._seen = token, began + self._seconds, None
        logger.info("lease taken", extra={"group": self._group, "token": token})

    def _write(self, token: int, owner: str, condition: str) -> None:
        values: dict[str, Any] = {
            ":owner": {"S": owner},
            ":token": {"N": str(token)},
            ":one": {"N": "1"},
            ":none": {"N": "0"},
            ":me": {"S": self.owner},
            ":held": {"N": str(self._token)},
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
    """DynamoDB refuses values that no expression names."""
    return name in (":owner", ":token", ":one", ":none") or name in condition
