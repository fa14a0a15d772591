"""The comparison of an index with its table, page by page, in both directions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from routes.images import Images
from service.model.dynamodb_json import read_item
from service.pipeline.document_json import dump
from tests.embedded.deployments import ask

IMAGE: Final = Images().document
PAGE: Final = 500
SHOWN: Final = 5


def differences(
    dynamodb: Any, table: str, search_url: str, index: str, document: Callable[[Any], Any] = IMAGE
) -> tuple[int, list[str]]:
    """Return the number of items, and descriptions of the first few differences.

    `document` converts an item to its expected document.
    """
    items = 0
    found: list[str] = []
    for wanted in documents(dynamodb, table, document):
        items += len(wanted)
        found += different(wanted, search_url, index)
    ask("POST", f"{search_url}/{index}/_refresh")
    count = ask("GET", f"{search_url}/{index}/_count")["count"]
    if count != items:
        found.insert(0, f"the index has {count} documents, the table {items} items")
    return items, found[:SHOWN]


def different(wanted: Mapping[str, Any], search_url: str, index: str) -> Iterator[str]:
    """Yield descriptions of documents in the index that differ from `wanted`."""
    answer = ask("POST", f"{search_url}/{index}/_mget", {"ids": list(wanted)})
    for found in answer["docs"]:
        name = found["_id"]
        if not found.get("found"):
            yield f"{name} is missing in the index"
        elif found["_source"] != wanted[name]:
            yield f"{name} is another in the index than in the table"


def documents(dynamodb: Any, table: str, document: Callable[[Any], Any]) -> Iterator[dict[str, Any]]:
    """Yield the documents of the table's items by id, one page at a time."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table, ConsistentRead=True, PaginationConfig={"PageSize": PAGE}
    )
    for page in pages:
        items = map(read_item, page["Items"])
        if made := {item["id"]: json.loads(dump(document(item))) for item in items}:
            yield made
