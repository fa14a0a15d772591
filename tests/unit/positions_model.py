"""A DynamoDB table of checkpoints in memory, with the interface of boto3's client.

It supports the conditions that streamdex writes. Transactions conflict as AWS documents it ("Transaction conflict
handling in DynamoDB", Developer Guide): during a transaction, another one with the same item is cancelled, and a
plain write to that item is refused.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

from botocore.exceptions import ClientError

Key = tuple[str, str]


class Failed(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "ConditionalCheckFailedException"}}, "write")


class Cancelled(ClientError):
    def __init__(self, reasons: Sequence[str]):
        answer: Any = {
            "Error": {"Code": "TransactionCanceledException"},
            "CancellationReasons": [{"Code": reason} for reason in reasons],
        }
        super().__init__(answer, "TransactWriteItems")


class NotFound(ClientError):
    pass


class PositionsModel:
    """A table of checkpoints. `rows` has typed items by stream and shard.

    `units` is the consumed write capacity, `conflicts` the number of refused writes. A transaction lasts
    `seconds`. A page of a query has `page` rows.
    """

    class exceptions:
        ConditionalCheckFailedException = Failed
        TransactionCanceledException = Cancelled
        ResourceNotFoundException = NotFound

    def __init__(self, seconds: float = 0.0, page: int = 1000):
        self.rows: dict[Key, dict[str, Any]] = {}
        self.units = 0
        self.conflicts = 0
        self._seconds = seconds
        self._page = page
        self._lock = Lock()
        self._under_way: Counter[Key] = Counter()

    def describe_table(self, TableName: str) -> Any:
        return {"Table": {}}

    def get_item(self, TableName: str, Key: Any, ConsistentRead: bool) -> Any:
        assert ConsistentRead
        with self._lock:
            found = self.rows.get(key_of(Key))
            return {"Item": dict(found)} if found else {}

    def get_paginator(self, name: str) -> Any:
        assert name == "query"
        return self

    def paginate(self, TableName: str, ConsistentRead: bool, **query: Any) -> Iterator[Any]:
        assert ConsistentRead
        assert_named(query, "KeyConditionExpression")
        (stream,) = (value["S"] for value in query["ExpressionAttributeValues"].values())
        with self._lock:
            found = [dict(row) for key, row in sorted(self.rows.items()) if key[0] == stream]
        for begin in range(0, len(found) or 1, self._page):
            yield {"Items": found[begin : begin + self._page]}

    def put_item(self, TableName: str, Item: Any, **condition: Any) -> Any:
        with self._writing(key_of(Item), condition):
            self.rows[key_of(Item)] = dict(Item)
        return {}

    def delete_item(self, TableName: str, Key: Any, **condition: Any) -> Any:
        with self._writing(key_of(Key), condition):
            self.rows.pop(key_of(Key), None)
        return {}

    def update_item(self, TableName: str, Key: Any, ReturnValues: str = "NONE", **update: Any) -> Any:
        with self._writing(key_of(Key), update):
            row = self.rows.setdefault(key_of(Key), dict(Key))
            row |= changes(row, update)
            return {"Attributes": dict(row)} if ReturnValues == "ALL_NEW" else {}

    def transact_write_items(self, TransactItems: Sequence[Mapping[str, Any]]) -> Any:
        parts = [(kind, part) for item in TransactItems for kind, part in item.items()]
        keys = [key_of(part.get("Key") or part["Item"]) for _, part in parts]
        with self._lock:
            if any(self._under_way[key] for key in keys):
                self.conflicts += 1
                raise Cancelled(["TransactionConflict" if self._under_way[key] else "None" for key in keys])
            self._under_way.update(keys)
        time.sleep(self._seconds)
        with self._lock:
            self._under_way.subtract(keys)
            self.units += 2 * len(keys)
            held = [holds(self.rows.get(key), part) for key, (_, part) in zip(keys, parts, strict=True)]
            if not all(held):
                raise Cancelled(["None" if fine else "ConditionalCheckFailed" for fine in held])
            for key, (kind, part) in zip(keys, parts, strict=True):
                if kind == "Put":
                    self.rows[key] = dict(part["Item"])
                elif kind == "Delete":
                    self.rows.pop(key, None)
        return {}

    @contextmanager
    def _writing(self, key: Key, condition: Mapping[str, Any]) -> Iterator[None]:
        """Lock an item for a write. Raises ClientError if a transaction holds it or the condition fails."""
        with self._lock:
            if self._under_way[key]:
                self.conflicts += 1
                raise ClientError({"Error": {"Code": "TransactionConflictException"}}, "write")
            self.units += 1
            if not holds(self.rows.get(key), condition):
                raise Failed
            yield


def key_of(item: Mapping[str, Any]) -> Key:
    return item["stream"]["S"], item["shard"]["S"]


def holds(row: Mapping[str, Any] | None, request: Mapping[str, Any]) -> bool:
    """Return True if the condition of a request holds. A comparison with a missing attribute is False."""
    condition = assert_named(request, "ConditionExpression")
    attributes = {name: plain(row, attribute) for name, attribute in request["ExpressionAttributeNames"].items()}
    values = {
        name: plain(request["ExpressionAttributeValues"], name) for name in request["ExpressionAttributeValues"]
    }
    for word, python in ((" AND ", " and "), (" OR ", " or "), (" = ", " == ")):
        condition = condition.replace(word, python)
    condition = re.sub(r"#\w+", lambda found: f"attributes['{found[0]}']", condition)
    condition = re.sub(r":\w+", lambda found: f"values['{found[0]}']", condition)
    functions = {
        "attribute_exists": lambda value: value == value,  # noqa: PLR0124  # a missing attribute is NaN
        "attribute_not_exists": lambda value: value != value,  # noqa: PLR0124
    }
    return bool(eval(condition, {"attributes": attributes, "values": values, **functions}))


def changes(row: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that an update sets: `SET #a = :b, #c = if_not_exists(#c, :d) + :e`.

    The service writes only updates of this form.
    """
    names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
    found = {}
    for part in request["UpdateExpression"].removeprefix("SET ").split(", #"):
        name, _, value = part.partition(" = ")
        attribute = names["#" + name.removeprefix("#")]
        if value.startswith("if_not_exists"):
            _, start, more = re.findall(r"[#:]\w+", value)
            before = row.get(attribute, values[start])
            found[attribute] = {"N": str(int(before["N"]) + int(values[more]["N"]))}
        else:
            found[attribute] = values[value]
    return found


def plain(row: Mapping[str, Any] | None, attribute: str) -> Any:
    """Return the value of an attribute. A missing attribute is NaN, which is equal to nothing."""
    for kind, value in (row or {}).get(attribute, {}).items():
        return int(value) if kind == "N" else value
    return math.nan


def assert_named(request: Mapping[str, Any], kind: str) -> str:
    """Return an expression of a request, and assert that it is valid.

    Attributes must have placeholders, because their names are reserved words, and every placeholder must be used.
    """
    expression: str = request[kind]
    whole = " ".join(str(value) for name, value in request.items() if name.endswith("Expression"))
    used = set(re.findall(r"[#:]\w+", whole))
    given = {*request.get("ExpressionAttributeNames", {}), *request.get("ExpressionAttributeValues", {})}
    assert used == given, (used, given)
    words = set(re.findall(r"(?<![#:\w])[a-z]\w*", expression))
    assert words <= {"attribute_exists", "attribute_not_exists"}, words
    return expression
