"""The shop of the unit tests on servers: orders with lines and customers, with a secondary index and streams."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from deployments import Running, aws_client, documents_of, repeating
from shop_scene import Customers, Orders, documents_of_shop

from service.bootstrap.application import App
from service.settings import Settings


class Shop:
    """A deployment of the shop under its own names."""

    _numbers = itertools.count()

    def __init__(self, aws_url: str, search_url: str, folder: Path, **settings: Any):
        number = f"{folder.name[-20:]}-{next(self._numbers)}".lower().replace("_", "-")
        self.search_url, self.index = search_url, f"orders-{number}"
        self.settings = replace(
            Settings(),
            **{
                "aws_endpoint_url": aws_url,
                "search_url": search_url,
                "names": {
                    "table/orders": self.index,
                    "table/customers": f"customers-{number}",
                    "index/orders": self.index,
                },
                "poll_interval": 0.05,
                "poll_wait": 0,
                "index_lag": 0.0,
                "checkpoints": str(folder / "checkpoints.sqlite"),
                "dead_letters": str(folder / "letters"),
                **settings,
            },
        )
        url = self.settings.aws_endpoint_url_dynamodb or aws_url
        make_tables(aws_client(url, "dynamodb"), self.index, f"customers-{number}")
        resource = aws_client(url, "dynamodb", "resource")
        self.orders, self.customers = resource.Table(self.index), resource.Table(f"customers-{number}")
        self.app = App(self.settings, [Orders(), Customers()])

    def put_order(self, order: str, customer: str, lines: int = 0) -> None:
        self.orders.put_item(Item={"PK": order, "SK": "HEAD", "customer": customer})
        for number in range(lines):
            self.orders.put_item(Item={"PK": order, "SK": f"LINE{number:03}", "n": number})

    def put_customer(self, name: str, called: str) -> None:
        self.customers.put_item(Item={"id": name, "name": called})

    def documents(self) -> dict[str, Any]:
        return documents_of(self.search_url, self.index)

    def expected(self) -> dict[str, Any]:
        """Return the documents as a function of the tables."""
        return documents_of_shop(all_items(self.orders), all_items(self.customers))

    @contextmanager
    def running(self) -> Iterator[None]:
        workers = Running(self.app)
        try:
            yield
        finally:
            workers.stop()

    @contextmanager
    def changing(self, orders: int = 6, customers: int = 3, pause: float = 0.0) -> Iterator[None]:
        """Change customers, orders and lines until the block ends."""
        chance = random.Random(3)
        with repeating(lambda number: self._change(chance, number, orders, customers), pause):
            yield

    def _change(self, chance: random.Random, number: int, orders: int, customers: int) -> None:
        order, customer = f"o{chance.randrange(orders)}", f"c{chance.randrange(customers)}"
        line = {"PK": order, "SK": f"LINE{chance.randrange(3)}"}
        kind, gone = chance.choice(["customer", "order", "line"]), chance.random() < 0.3
        if kind == "customer":
            if gone:
                self.customers.delete_item(Key={"id": customer})
            else:
                self.put_customer(customer, f"name {number}")
        elif kind == "order":
            if gone:
                self.orders.delete_item(Key={"PK": order, "SK": "HEAD"})
            else:
                self.put_order(order, customer)
        elif gone:
            self.orders.delete_item(Key=line)
        else:
            self.orders.put_item(Item={**line, "n": number})


def make_tables(dynamodb: Any, orders: str, customers: str) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    dynamodb.create_table(
        TableName=orders,
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK", "customer")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-customer",
                "KeySchema": [{"AttributeName": "customer", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification=stream,
    )
    dynamodb.create_table(
        TableName=customers,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification=stream,
    )


def all_items(table: Any) -> list[Any]:
    found, start = [], {}
    while start is not None:
        answer = table.scan(ConsistentRead=True, **start)
        found += answer["Items"]
        after = answer.get("LastEvaluatedKey")
        start = {"ExclusiveStartKey": after} if after else None
    return found
