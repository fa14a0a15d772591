"""A table of books with a route to an index, and a check of a sample of them."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from deployments import ask, aws_client
from index_server import Server

from service import Document, Item, Reject, TableRoute
from service.commands.indices.checking import Checked, check
from service.context import Context
from service.routing import Names, Router


class Books(TableRoute):
    """Books with an optional number of pages."""

    table: ClassVar = "books-*"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "books"
    where: ClassVar = {"id": "b*"}
    mapping: ClassVar = {"properties": {"pages": {"type": "long"}, "tags": {"type": "keyword"}}}

    def document(self, item: Item) -> Document | None:
        if item.get("secret"):
            return None
        if item.get("bad"):
            raise Reject("a book that is none")
        return {name: value for name, value in item.items() if name != "id"}


class Shelf:
    """A table of books, and the index of its documents."""

    def __init__(self, server: Server, aws_url: str):
        self.server = server
        self.table = f"books-{server.name}"
        dynamodb = aws_client(aws_url, "dynamodb", "resource")
        self._items = dynamodb.create_table(
            TableName=self.table,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        names = Names({"index/books": server.name})
        self.router = Router([Books()], names)
        self.context = Context(
            server.context.settings, search=server.context.search, dynamodb=aws_client(aws_url, "dynamodb")
        )

    def put(self, name: str, **rest: Any) -> None:
        self._items.put_item(Item={"id": name, **rest})

    def check(self, sample: int = 1000) -> Checked:
        declared = self.router.indices[self.server.name]
        return check(self.context, self.router, declared, [self.table, "others"], sample, lambda more: None)

    def left_behind(self) -> Any:
        return ask("GET", f"{self.server.url}/streamdex-check-*/_alias")


@pytest.fixture
def shelf(server: Server, aws_url: str) -> Shelf:
    return Shelf(server, aws_url)
