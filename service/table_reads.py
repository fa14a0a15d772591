"""Read DynamoDB tables: the tables that a route declares in `reads`, and the items of a re-read.

    customers = context.tables["customers"].get([{"id": order["customer"]} for order in orders])
    lines = context.tables["shop"].query({"PK": "ORDER#7", "SK": begins_with("LINE#")})

Reads of a table are consistent. Reads of a secondary index are not, because DynamoDB updates it after the table.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple, TypeAlias

from .deadline import out_of_time, time_left
from .errors import Halt, OutOfTime, Retry
from .model.dynamodb_json import read_item
from .model.outcomes import OUT_OF_TIME
from .model.serializer import typed

MOST: Final = 100
"""Maximum items of one request ("BatchGetItem", DynamoDB API Reference)."""

KEPT: Final = 10_000
"""Maximum items that are kept for one call of the routes. Further ones are read again when they are needed."""


_Key: TypeAlias = tuple[tuple[str, Any], ...]


class Condition(NamedTuple):
    """A condition on the sort key. `{0}` in `template` is the attribute, `{1}` and `{2}` are the values."""

    template: str
    values: tuple[Any, ...]


def begins_with(prefix: str) -> Condition:
    """Return the condition that a sort key begins with `prefix`."""
    return Condition("begins_with({0}, {1})", (prefix,))


def between(low: Any, high: Any) -> Condition:
    """Return the condition that a sort key is at least `low` and at most `high`."""
    return Condition("{0} BETWEEN {1} AND {2}", (low, high))


def at_least(value: Any) -> Condition:
    """Return the condition that a sort key is greater than or equal to `value`."""
    return Condition("{0} >= {1}", (value,))


def at_most(value: Any) -> Condition:
    """Return the condition that a sort key is less than or equal to `value`."""
    return Condition("{0} <= {1}", (value,))


@dataclass(frozen=True)
class Readable:
    """A table that a route may read: its actual name, the indexes, and whether the table itself may be read."""

    actual: str
    itself: bool
    indexes: frozenset[str]


@dataclass(frozen=True)
class TableReader:
    """One table that a route reads. Items are Python values, as in records.

    What was read is kept until the routes of the batch have been called, so it is read once for all its items.
    """

    name: str
    _client: Any
    _route: str
    _readable: Readable
    _wait: Callable[[], None]
    _items: dict[_Key, dict[str, Any] | None] = field(default_factory=dict)
    _queries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def get(self, keys: Iterable[Mapping[str, Any]]) -> list[dict[str, Any] | None]:
        """Return the items with these keys in their order; None for each that does not exist.

        The read is consistent, with up to 100 items per request. Raises Retry if DynamoDB throttles it or no time
        is left, Halt if the table does not exist or the route does not declare it, and what boto3 raises.
        """
        self._check("")
        typed_keys = [typed(key) for key in keys]
        wanted = [key_of(key) for key in typed_keys]
        missing = {one: key for one, key in zip(wanted, typed_keys, strict=True) if one not in self._items}
        found: dict[_Key, dict[str, Any] | None] = dict.fromkeys(missing)
        with _existing(self._readable.actual):
            for item in read_items(self._client, self._readable.actual, list(missing.values())):
                found[key_of({name: item[name] for name in typed_keys[0]})] = read_item(item)
        if len(self._items) + len(found) <= KEPT:
            self._items.update(found)
        return [found[one] if one in found else self._items[one] for one in wanted]

    def get_one(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the item with this key, or None. See `get`."""
        (item,) = self.get([key])
        return item

    def query(
        self, key: Mapping[str, Any], index: str = "", *, descending: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Yield the items with this partition key, in the order of their sort keys.

        `key` has the partition key and, optionally, the sort key or a condition on it: {"PK": "ORDER#7", "SK":
        begins_with("LINE#")}. `index` is a secondary index that the route declares as "table/index". A change is
        visible there only after some time: the read waits until the records of the batch are older than the
        setting `index_lag`. Pages are read as they are needed. Raises as `get` does.
        """
        self._check(index)
        request = query_of(self._readable.actual, key, index, descending)
        name = repr(sorted(request.items()))
        if name in self._queries:
            yield from self._queries[name]
            return
        if index:
            self._wait()
        found: list[dict[str, Any]] | None = []
        with _existing(self._readable.actual, index):
            for page in query_pages(self._client, request):
                for item in page:
                    value = read_item(item)
                    if found is not None:
                        found.append(value)
                    yield value
                if found is not None and len(found) + sum(map(len, self._queries.values())) > KEPT:
                    found = None
        if found is not None:
            self._queries[name] = found

    def _check(self, index: str) -> None:
        if index not in self._readable.indexes if index else not self._readable.itself:
            raise _undeclared(self._route, f"{self.name}/{index}" if index else self.name)


class Tables(Mapping[str, TableReader]):
    """The tables that a route reads, by their logical names.

    `visible_at` is the time in Unix seconds from which secondary indexes show every change of the batch.
    """

    def __init__(
        self,
        client: Callable[[], Any],
        route: str,
        readable: Mapping[str, Readable],
        visible_at: float = 0.0,
    ):
        self._client = client
        self._route = route
        self._readable = readable
        self._visible_at = visible_at
        self._readers: dict[str, TableReader] = {}

    def __getitem__(self, name: str) -> TableReader:
        reader = self._readers.get(name)
        if reader is None:
            if name not in self._readable:
                raise _undeclared(self._route, name)
            reader = TableReader(name, self._client(), self._route, self._readable[name], self._wait)
            self._readers[name] = reader
        return reader

    def __iter__(self) -> Iterator[str]:
        return iter(self._readable)

    def __len__(self) -> int:
        return len(self._readable)

    def _wait(self) -> None:
        """Wait until the secondary indexes show the changes of the batch. Raises Retry if that takes too long."""
        missing = self._visible_at - time.time()
        if missing <= 0:
            return
        if missing > time_left():
            raise Retry("a secondary index may not show this change yet (setting index_lag), and no time is left")
        time.sleep(missing)


@contextmanager
def _existing(table: str, index: str = "") -> Iterator[None]:
    """Raise Halt if a request in the `with` block fails because the table or its index does not exist."""
    try:
        yield
    except Exception as error:
        answer = (getattr(error, "response", None) or {}).get("Error", {})  # None for a connection error
        # DynamoDB has no code for a missing index, or for one that is still being filled.
        if index and f"index: {index}" in answer.get("Message", ""):
            found = f"table {table} has no secondary index {index} that can be read"
            raise Halt(f"{found}: create it, or wait until it is filled") from error
        if answer.get("Code") == "ResourceNotFoundException":
            raise Halt(
                f"the table {table} does not exist: create it, or map its name in the setting names"
            ) from error
        raise


def _undeclared(route: str, name: str) -> Halt:
    return Halt(
        f'{route} reads {name!r} but does not declare it: add it to the route, `reads: ClassVar = ("{name}",)`'
    )


def read_items(client: Any, table: str, keys: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the typed items with these typed keys, in any order, from consistent reads.

    Raises Retry if DynamoDB throttles the reads, OutOfTime if no time is left, and what boto3 raises.
    """
    rest = iter(keys)
    while page := list(islice(rest, MOST)):
        request: dict[str, Any] = {table: {"Keys": page, "ConsistentRead": True}}
        while request:
            take_time()
            answer = client.batch_get_item(RequestItems=request)
            read = answer.get("Responses", {}).get(table, [])
            yield from read
            request = answer.get("UnprocessedKeys") or {}
            if request and not read:
                raise Retry(f"DynamoDB throttled the reads of table {table}")


def query_of(table: str, key: Mapping[str, Any], index: str = "", descending: bool = False) -> dict[str, Any]:
    """Return the Query request for a key, whose sort key may be a Condition. It is consistent without an index.

    Raises ValueError unless the key has one or two attributes.
    """
    if not 1 <= len(key) <= 2:
        raise ValueError("query() takes the partition key and, optionally, the sort key")
    parts: list[str] = []
    names: dict[str, str] = {}
    values: dict[str, Any] = {}
    for number, (attribute, wanted) in enumerate(key.items()):
        condition = wanted if isinstance(wanted, Condition) else Condition("{0} = {1}", (wanted,))
        names[f"#k{number}"] = attribute
        markers = [f":v{number}{position}" for position in range(len(condition.values))]
        values |= dict(zip(markers, condition.values, strict=True))
        parts.append(condition.template.format(f"#k{number}", *markers))
    request: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": " AND ".join(parts),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": typed(values),
    }
    request |= {"IndexName": index} if index else {"ConsistentRead": True}
    return request | ({"ScanIndexForward": False} if descending else {})


def query_pages(client: Any, request: Mapping[str, Any]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Yield the pages of typed items of a Query. Raises OutOfTime if no time is left, and what boto3 raises."""
    after: Mapping[str, Any] | None = {}
    while after is not None:
        take_time()
        answer = client.query(**request, **({"ExclusiveStartKey": after} if after else {}))
        yield answer.get("Items", [])
        after = answer.get("LastEvaluatedKey")


def take_time() -> None:
    """Raise OutOfTime if the rest of the time is reserved for the response."""
    if out_of_time():
        raise OutOfTime(OUT_OF_TIME.reason)


def key_of(key: Mapping[str, Any]) -> _Key:
    """Return a typed key as a value to compare and look up: 1 and 1.0 are one key. Raises DecodeError."""
    return tuple(sorted(read_item(key).items()))
