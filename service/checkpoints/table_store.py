"""Checkpoints in a DynamoDB table, which the processes of a group share.

A fencing token locks out a process that was paused and lost its lease meanwhile. Each row has the token of the
lease under which it was written, and writes with a lower token are rejected. A new holder first claims the rows:
it writes its token into each row and continues from the returned position.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final

from ..context import Context
from ..errors import Halt, LeaseLost
from ..model.outcomes import Outcome
from ..pipeline.error_outcomes import reaching, result_of
from .lease import TableLease, check
from .stores import FORMAT, Checkpoint

logger = logging.getLogger(__name__)

FENCE: Final = "(attribute_not_exists(#token) OR #token <= :token)"
"""The condition of each write. Rows written by earlier versions have no token."""

AT_ONCE: Final = 16
"""The number of rows that are claimed in parallel."""

# Placeholders, because most of these names are reserved words ("Reserved words in DynamoDB", Developer Guide).
NAMES: Final = {"#stream": "stream", "#position": "position", "#token": "token"}

Row = Mapping[str, Any]


class TableCheckpoints:
    """A DynamoDB table with the string keys `stream` (GROUP|STREAM) and `shard`; it is created if missing."""

    def __init__(self, context: Context, table: str, group: str, lease_time: float, competes: bool = True):
        self._dynamodb = context.dynamodb
        self._table = table
        self._group = group
        self._create_missing()
        self.lease: TableLease = TableLease(self._dynamodb, table, group, lease_time)
        if competes:
            self.lease.start()

    def read(self, stream: str) -> dict[str, Checkpoint]:
        return checkpoints_of(self._rows(stream))

    def claim(self, stream: str, token: int) -> dict[str, Checkpoint]:
        # No transactions: they would conflict with checkpoints that the previous holder still writes.
        with ThreadPoolExecutor(AT_ONCE, "claim") as pool:
            return checkpoints_of(list(pool.map(partial(self._claim, token), self._rows(stream))))

    def write(self, stream: str, shard: str, checkpoint: Checkpoint, token: int) -> bool:
        item = self._key(stream, shard) | {
            "position": {"S": checkpoint.position},
            "time": {"N": str(checkpoint.time)},
            "token": {"N": str(token)},
            "format": {"N": str(FORMAT)},
        }
        return self._change(partial(self._dynamodb.put_item, Item=item), shard, token)

    def remove(self, stream: str, shard: str, token: int) -> None:
        self._change(partial(self._dynamodb.delete_item, Key=self._key(stream, shard)), shard, token)

    def close(self) -> None:
        """Release the lease. The context closes the client."""
        self.lease.release()

    def _rows(self, stream: str) -> list[Row]:
        query = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#stream = :stream",
            ExpressionAttributeNames=named("#stream"),
            ExpressionAttributeValues={":stream": self._key(stream, "")["stream"]},
            ConsistentRead=True,
        )
        return [item for page in query for item in page["Items"]]

    def _claim(self, token: int, row: Row) -> Row:
        """Write the token into a row and return the row. Raises LeaseLost and boto3 errors."""
        if token_of(row) == token:
            return row
        check(self.lease, token)
        try:
            claimed: Row = self._dynamodb.update_item(
                TableName=self._table,
                Key={name: row[name] for name in ("stream", "shard")},
                UpdateExpression="SET #token = :token",
                ConditionExpression=f"attribute_exists(#position) AND {FENCE}",  # it may have been removed
                ExpressionAttributeNames=named("#position", "#token"),
                ExpressionAttributeValues={":token": {"N": str(token)}},
                ReturnValues="ALL_NEW",
            )["Attributes"]
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise LeaseLost(f"another poller claimed the checkpoint of {row['shard']['S']}") from error
        return claimed

    def _change(self, request: Callable[..., Any], shard: str, token: int) -> bool:
        check(self.lease, token)
        try:
            request(
                TableName=self._table,
                ConditionExpression=FENCE,
                ExpressionAttributeNames=named("#token"),
                ExpressionAttributeValues={":token": {"N": str(token)}},
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise LeaseLost(f"another poller claimed the checkpoint of {shard}") from error
        except Exception as error:
            result = result_of(error, f"writing the checkpoint of {shard} to table {self._table}")
            if result.outcome is not Outcome.RETRY:
                raise Halt(result.reason) from error
            # The next checkpoint covers this one; until then a restart would read some records again.
            logger.warning("checkpoint not written", extra={"shard": shard, "reason": result.reason})
            return False
        return True

    def _key(self, stream: str, shard: str) -> dict[str, dict[str, str]]:
        return {"stream": {"S": f"{self._group}|{stream}"}, "shard": {"S": shard}}

    def _create_missing(self) -> None:
        try:
            with reaching(f"accessing the checkpoint table {self._table}"):
                table = self._dynamodb.describe_table(TableName=self._table)["Table"]
            if table.get("TableStatus") != "CREATING":
                return
        except self._dynamodb.exceptions.ResourceNotFoundException:
            with suppress(self._dynamodb.exceptions.ResourceInUseException):  # another process was faster
                self._create()
        waiter = self._dynamodb.get_waiter("table_exists")
        waiter.wait(TableName=self._table, WaiterConfig={"Delay": 2, "MaxAttempts": 100})

    def _create(self) -> None:
        self._dynamodb.create_table(
            TableName=self._table,
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("stream", "shard")],
            KeySchema=[
                {"AttributeName": "stream", "KeyType": "HASH"},
                {"AttributeName": "shard", "KeyType": "RANGE"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )


def checkpoints_of(rows: Sequence[Row]) -> dict[str, Checkpoint]:
    """Return rows as checkpoints by shard."""
    return {row["shard"]["S"]: Checkpoint(row["position"]["S"], float(row["time"]["N"])) for row in rows}


def token_of(row: Row) -> int:
    """Return the token under which a row was written or claimed; 0 for a row of an earlier version."""
    return int(row.get("token", {"N": "0"})["N"])


def named(*names: str) -> dict[str, str]:
    """Return the placeholders that an expression uses. DynamoDB rejects requests with unused ones."""
    return {name: NAMES[name] for name in names}
