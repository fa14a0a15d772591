"""Sink for DynamoDB tables: writes the items that routes return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ..context import Context
from ..deadline import out_of_time
from ..errors import Halt, Reject
from ..model import ObjectRecord
from ..model.outcomes import APPLIED, BLOCKED, OUT_OF_TIME, STALE, Outcome
from ..model.serializer import typed
from ..model.versions import LARGEST
from ..pipeline import SILENT, Observer, Result, Write
from ..pipeline.delivery import Fence, no_fence
from ..pipeline.error_outcomes import result_of
from ..routing import DeleteItem, PutItem, UpdateItem

MARK: Final = "_streamdex"
"""The attribute of an item that holds the version of the record it was written for."""

_SEQUENCER_LENGTH: Final = 32
"""Sequencers are padded to this length, so that DynamoDB's text order is the sequencer order."""

NO_ITEM: Final = Result(
    Outcome.SKIPPED, "the item does not exist, and UpdateItem creates it only with create=True"
)


class ItemSink:
    """Write items one by one, in the order of their records.

    Each item carries the version of the record it was written for: the sequencer of an object as text, or the
    version of a stream record as a number. A write with an older version changes nothing and is STALE. Versions of
    different kinds cannot be compared, so a version of the other kind is overwritten. If a bucket provides no
    sequencer, the write is unconditional. An UpdateItem without `create` whose item does not exist is SKIPPED.
    """

    def __init__(self, context: Context, observer: Observer = SILENT):
        self._context = context
        self._observer = observer
        self._keys: dict[str, tuple[str, ...]] = {}

    def write(self, writes: Sequence[Write], fence: Fence = no_fence) -> list[Result]:
        results: list[Result] = []
        waiting: set[tuple[str, tuple[str, str]]] = set()
        for write in writes:
            if (write.target, write.record.subject) in waiting:
                results.append(BLOCKED)
                continue
            result = self._write_one(write, fence)
            if result.outcome is Outcome.RETRY:
                waiting.add((write.target, write.record.subject))
            results.append(result)
        return results

    def _write_one(self, write: Write, fence: Fence) -> Result:
        fence()
        if out_of_time():
            return OUT_OF_TIME
        try:
            self._send(*self._request(write))
        except Exception as error:
            return self._failed(error, write)
        return APPLIED

    def _send(self, request: str, arguments: Mapping[str, Any]) -> None:
        """Send a request and report it to the observer. Raises what boto3 raises."""
        with self._observer.request("table", 1, 0, _status_of):
            getattr(self._context.dynamodb, request)(**arguments)

    def _request(self, write: Write) -> tuple[str, dict[str, Any]]:
        """Return the name of boto3's method for a write, and its arguments. Raises Reject for an invalid item."""
        action = write.action
        version = version_of(write)
        mark = {MARK: version} if version else {}
        arguments: dict[str, Any] = {"TableName": write.target}
        if isinstance(action, DeleteItem):
            arguments["Key"] = typed_item(action.key)
            return "delete_item", arguments | _conditional(version)
        if isinstance(action, PutItem):
            arguments["Item"] = typed_item(action.item) | mark
            return "put_item", arguments | _conditional(version)
        assert isinstance(action, UpdateItem)
        names = self._key_of(write.target)
        missing = [name for name in names if name not in action.item]
        if missing:
            raise Reject(f"UpdateItem lacks key attributes of table {write.target}: {', '.join(missing)}")
        arguments["Key"] = typed_item({name: action.item[name] for name in names})
        changes = typed_item({name: value for name, value in action.item.items() if name not in names}) | mark
        return "update_item", arguments | _conditional(version, changes, "" if action.create else names[0])

    def _failed(self, error: Exception, write: Write) -> Result:
        answer = _answer_of(error)
        code = answer.get("Error", {}).get("Code", "")
        if code == "ConditionalCheckFailedException":
            return _refused(write, answer.get("Item"))
        if code == "ResourceNotFoundException":
            raise Halt(
                f"the table {write.target} does not exist: create it, or map its name in the setting names"
            ) from error
        return result_of(error, f"table {write.target}")

    def _key_of(self, table: str) -> tuple[str, ...]:
        """Return the key attributes of a table. They are requested once and cached."""
        if table not in self._keys:
            schema = self._context.dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
            self._keys[table] = tuple(part["AttributeName"] for part in schema)
        return self._keys[table]


def _answer_of(error: Exception) -> Mapping[str, Any]:
    """Return the AWS response of an error. The `response` of botocore's connection errors is None."""
    return getattr(error, "response", None) or {}


def _status_of(error: Exception) -> int | None:
    status: int | None = _answer_of(error).get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def typed_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item in DynamoDB JSON. Raises Reject if DynamoDB has no type for a value."""
    try:
        return typed(item)
    except TypeError as error:
        raise Reject(f"the item cannot be stored: {error}") from error


def version_of(write: Write) -> dict[str, str]:
    """Return the typed version of the record of a write; {} if its bucket provides no sequencer."""
    record = write.record
    if isinstance(record, ObjectRecord):
        return {"S": record.sequencer.ljust(_SEQUENCER_LENGTH, "0")} if record.sequencer else {}
    return {"N": str(write.version or 0)}


def _refused(write: Write, there: Mapping[str, Any] | None) -> Result:
    """Return the result of a write whose condition failed; `there` is the existing item, or None.

    The result carries the version found, because the record may still be newer.
    """
    if there is None and isinstance(write.action, UpdateItem) and not write.action.create:
        return NO_ITEM
    number = (there or {}).get(MARK, {}).get("N", "")
    found = int(number) if number.isdecimal() else LARGEST + 1  # other programs may write this attribute
    return replace(STALE, conflict=found) if found <= LARGEST else STALE


def _conditional(
    version: Mapping[str, str], changes: Mapping[str, Any] | None = None, existing: str = ""
) -> dict[str, Any]:
    """Return the update, condition and value expressions of a request.

    The condition requires that the existing item has no newer version than `version`. With `existing`, the name of
    a key attribute, it also requires that the item exists.
    """
    names: dict[str, str] = {}
    values: dict[str, Any] = {}
    conditions: list[str] = []
    request: dict[str, Any] = {}
    if changes:
        names |= {f"#a{n}": name for n, name in enumerate(changes)}
        values |= {f":v{n}": value for n, value in enumerate(changes.values())}
        request["UpdateExpression"] = "SET " + ", ".join(f"#a{n} = :v{n}" for n in range(len(changes)))
    if existing:
        names["#key"] = existing
        conditions.append("attribute_exists(#key)")
    if version:
        names["#mark"] = MARK
        values |= {":mark": version, ":kind": {"S": next(iter(version))}}
        conditions.append("(NOT attribute_type(#mark, :kind) OR #mark <= :mark)")
    if conditions:
        request["ConditionExpression"] = " AND ".join(conditions)
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    if names:
        request["ExpressionAttributeNames"] = names
    if values:
        request["ExpressionAttributeValues"] = values
    return request
