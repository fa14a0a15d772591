"""DynamoDB tables as a sink: the items that bucket routes write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..context import Context
from ..dispatch import SILENT, Observer, Result, Write
from ..dispatch.failures import result_of
from ..dispatch.outcomes import APPLIED, BLOCKED, OUT_OF_TIME, STALE, Outcome
from ..errors import Halt, Reject
from ..records import ObjectRecord
from ..records.serializer import typed
from ..routing import DeleteItem, PutItem, UpdateItem

SEQUENCER: Final = "_streamdex"
"""The attribute that holds the sequencer of the object that an item was made from."""

_SEQUENCER_LENGTH: Final = 32
"""Sequencers are padded to this, so that DynamoDB's order of text is theirs."""


class ItemSink:
    """Writes items one after the other, in the order of their records.

    An item that was made from an object carries the object's sequencer, and a write with an older one changes
    nothing: it is STALE. Where the source gives no sequencer the write is unconditional.
    """

    def __init__(self, context: Context, observer: Observer = SILENT):
        self._context = context
        self._observer = observer
        self._keys: dict[str, tuple[str, ...]] = {}

    def write(self, writes: Sequence[Write]) -> list[Result]:
        results: list[Result] = []
        waiting: set[tuple[str, str]] = set()
        for write in writes:
            if write.record.subject in waiting:
                results.append(BLOCKED)
                continue
            result = self._write_one(write)
            if result.outcome is Outcome.RETRY:
                waiting.add(write.record.subject)
            results.append(result)
        return results

    def _write_one(self, write: Write) -> Result:
        self._context.check()
        if self._context.out_of_time():
            return OUT_OF_TIME
        try:
            self._send(*self._request(write))
        except Exception as error:
            return self._failed(error, write)
        return APPLIED

    def _send(self, request: str, arguments: Mapping[str, Any]) -> None:
        """Sends a request, and tells how it went. Raises what boto3 raises."""
        with self._observer.request("table", 1, 0, _status_of):
            getattr(self._context.dynamodb, request)(**arguments)

    def _request(self, write: Write) -> tuple[str, dict[str, Any]]:
        """The name of boto3's method for a write, and its arguments. Raises Reject for a wrong item."""
        sequencer = write.record.sequencer if isinstance(write.record, ObjectRecord) else ""
        arguments: dict[str, Any] = {"TableName": write.target}
        action = write.action
        if isinstance(action, DeleteItem):
            arguments["Key"] = _typed(action.key)
            return "delete_item", _with_condition(arguments, sequencer)
        if isinstance(action, PutItem):
            arguments["Item"] = _typed({**action.item, **_mark(sequencer)})
            return "put_item", _with_condition(arguments, sequencer)
        assert isinstance(action, UpdateItem)
        names = self._key_of(write.target)
        missing = [name for name in names if name not in action.item]
        if missing:
            raise Reject(f"UpdateItem without {', '.join(missing)}, which is in the key of table {write.target}")
        arguments["Key"] = _typed({name: action.item[name] for name in names})
        changes = {name: value for name, value in action.item.items() if name not in names}
        arguments |= _update_of(_typed({**changes, **_mark(sequencer)}))
        return "update_item", _with_condition(arguments, sequencer)

    def _failed(self, error: Exception, write: Write) -> Result:
        answer = _answer_of(error)
        code = answer.get("Error", {}).get("Code", "")
        if code == "ConditionalCheckFailedException":
            return STALE
        if code == "ResourceNotFoundException":
            raise Halt(f"the table {write.target} does not exist: create it, or map its name in names") from error
        return result_of(error, f"table {write.target}")

    def _key_of(self, table: str) -> tuple[str, ...]:
        """The key attributes of a table, asked for once."""
        if table not in self._keys:
            schema = self._context.dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
            self._keys[table] = tuple(part["AttributeName"] for part in schema)
        return self._keys[table]


def _answer_of(error: Exception) -> Mapping[str, Any]:
    """What AWS has answered; botocore's connection errors have an answer that is None."""
    return getattr(error, "response", None) or {}


def _status_of(error: Exception) -> int | None:
    status: int | None = _answer_of(error).get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def _typed(item: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return typed(item)
    except TypeError as error:
        raise Reject(f"the item cannot be stored: {error}") from error


def _mark(sequencer: str) -> dict[str, str]:
    return {SEQUENCER: sequencer.ljust(_SEQUENCER_LENGTH, "0")} if sequencer else {}


def _with_condition(arguments: dict[str, Any], sequencer: str) -> dict[str, Any]:
    """The same request, refused where the item was made from something newer."""
    if not sequencer:
        return arguments
    names = arguments.get("ExpressionAttributeNames", {})
    values = arguments.get("ExpressionAttributeValues", {})
    return arguments | {
        "ConditionExpression": "attribute_not_exists(#sequencer) OR #sequencer <= :sequencer",
        "ExpressionAttributeNames": names | {"#sequencer": SEQUENCER},
        "ExpressionAttributeValues": values | {":sequencer": {"S": _mark(sequencer)[SEQUENCER]}},
    }


def _update_of(changes: Mapping[str, Any]) -> dict[str, Any]:
    if not changes:
        return {}
    numbered = list(enumerate(changes.items()))
    return {
        "UpdateExpression": "SET " + ", ".join(f"#a{n} = :v{n}" for n, _ in numbered),
        "ExpressionAttributeNames": {f"#a{n}": name for n, (name, _) in numbered},
        "ExpressionAttributeValues": {f":v{n}": value for n, (_, value) in numbered},
    }
