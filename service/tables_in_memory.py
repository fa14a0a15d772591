"""A DynamoDB client over tables in memory. It answers what routes read with `context.tables`, and re-reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from .model.dynamodb_json import read_item
from .model.serializer import typed

StoredItem: TypeAlias = Mapping[str, Any]

CONDITION: Final = re.compile(
    r"(#\w+) (=|<=|>=) (:\w+)|begins_with\((#\w+), (:\w+)\)|(#\w+) (BETWEEN) (:\w+) AND (:\w+)"
)
"""The conditions that `table_reads` writes."""


class TablesInMemory:
    """Items by table name. Like DynamoDB, it sorts the items of a query by the sort key.

    `sort_keys` has the sort keys by table name. Without one, and in a secondary index, the order is that of the
    list, unless the query names the sort key. `delayed` returns the items that secondary indexes show; by default
    all of them. `page` is the number of items of one response. `calls` has the name and table of each request.
    """

    def __init__(
        self,
        tables: Mapping[str, Sequence[StoredItem]] | None = None,
        sort_keys: Mapping[str, str] | None = None,
        page: int = 100,
    ):
        self.tables: dict[str, list[StoredItem]] = {name: list(items) for name, items in (tables or {}).items()}
        self.sort_keys = sort_keys or {}
        self.delayed: Callable[[str], Sequence[StoredItem]] = lambda table: self.tables.get(table, [])
        self.calls: list[tuple[str, str]] = []
        self.page = page

    def batch_get_item(self, RequestItems: Mapping[str, Any]) -> Any:  # noqa: N803  # the names of boto3
        """Return the items with these keys. Raises AssertionError for a request that the service never sends."""
        found = {}
        for table, request in RequestItems.items():
            assert request["ConsistentRead"]
            assert len(request["Keys"]) <= 100
            self.calls.append(("get", table))
            keys = [read_item(key) for key in request["Keys"]]
            items = [
                item for item in self.tables.get(table, []) if any(key.items() <= item.items() for key in keys)
            ]
            found[table] = [typed(item) for item in items]
        return {"Responses": found}

    def query(
        self,
        TableName: str,  # noqa: N803
        ExclusiveStartKey: Any = None,  # noqa: N803
        IndexName: str = "",  # noqa: N803
        **request: Any,
    ) -> Any:
        """Return a page of the items of a partition. Raises AssertionError as `batch_get_item` does."""
        assert bool(request.get("ConsistentRead")) != bool(IndexName)
        self.calls.append(("query", f"{TableName}/{IndexName}" if IndexName else TableName))
        names = request["ExpressionAttributeNames"]
        values = read_item(request["ExpressionAttributeValues"])
        items = list(self.delayed(TableName) if IndexName else self.tables.get(TableName, []))
        for found in CONDITION.finditer(request["KeyConditionExpression"]):
            items = [item for item in items if _holds(found, item, names, values)]
        sort = names.get("#k1") or ("" if IndexName else self.sort_keys.get(TableName, ""))
        if sort:
            items.sort(key=lambda item: item[sort])
        if not request.get("ScanIndexForward", True):
            items.reverse()
        begin = int(ExclusiveStartKey["n"]["N"]) if ExclusiveStartKey else 0
        answer: dict[str, Any] = {"Items": [typed(item) for item in items[begin : begin + self.page]]}
        if begin + self.page < len(items):
            answer["LastEvaluatedKey"] = {"n": {"N": str(begin + self.page)}}
        return answer

    def close(self) -> None:
        pass


def _holds(found: re.Match[str], item: StoredItem, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    equal, operator, one, prefixed, prefix, between, _, low, high = found.groups()
    value = item.get(names[equal or prefixed or between])
    if value is None:
        return False
    if prefixed:
        return str(value).startswith(values[prefix])
    if between:
        return bool(values[low] <= value <= values[high])
    other = values[one]
    return bool(value == other if operator == "=" else value <= other if operator == "<=" else value >= other)
