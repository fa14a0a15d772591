"""A DynamoDB client over tables in memory: the reads of routes and of re-reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from service.model.dynamodb_json import read_item
from service.model.serializer import typed

Item: TypeAlias = Mapping[str, Any]

CONDITION = re.compile(r"(#\w+) (=|<=|>=) (:\w+)|begins_with\((#\w+), (:\w+)\)|(#\w+) (BETWEEN) (:\w+) AND (:\w+)")


class TablesInMemory:
    """Items by table name. `delayed` returns the items that secondary indexes show; by default all of them.

    `page` is the number of items of one Query response. `calls` has the name and table of each request.
    """

    def __init__(self, tables: Mapping[str, Sequence[Item]] | None = None, page: int = 2):
        self.tables: dict[str, list[Item]] = {name: list(items) for name, items in (tables or {}).items()}
        self.delayed: Callable[[str], Sequence[Item]] = lambda table: self.tables.get(table, [])
        self.calls: list[tuple[str, str]] = []
        self.page = page

    def batch_get_item(self, RequestItems: Mapping[str, Any]) -> Any:
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

    def query(self, TableName: str, ExclusiveStartKey: Any = None, IndexName: str = "", **request: Any) -> Any:
        assert bool(request.get("ConsistentRead")) != bool(IndexName)
        self.calls.append(("query", f"{TableName}/{IndexName}" if IndexName else TableName))
        names = request["ExpressionAttributeNames"]
        values = read_item(request["ExpressionAttributeValues"])
        items = list(self.delayed(TableName) if IndexName else self.tables.get(TableName, []))
        for found in CONDITION.finditer(request["KeyConditionExpression"]):
            items = [item for item in items if _holds(found, item, names, values)]
        items.sort(key=lambda item: str(item.get("SK", "")), reverse=not request.get("ScanIndexForward", True))
        begin = int(ExclusiveStartKey["n"]["N"]) if ExclusiveStartKey else 0
        answer: dict[str, Any] = {"Items": [typed(item) for item in items[begin : begin + self.page]]}
        if begin + self.page < len(items):
            answer["LastEvaluatedKey"] = {"n": {"N": str(begin + self.page)}}
        return answer

    def close(self) -> None:
        pass


def _holds(found: re.Match[str], item: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
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
