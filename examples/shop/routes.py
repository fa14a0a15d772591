"""The routes of a shop. All items are in the table `shop`:

| item | PK | SK | other attributes |
|---|---|---|---|
| customer | CUSTOMER#ada | CUSTOMER | name, email |
| order | ORDER#1001 | ORDER | customer, placed |
| line of an order | ORDER#1001 | LINE#1 | product, quantity |
| product | PRODUCT#nordic#lamp | PRODUCT | name, price, description |
| review of a product | PRODUCT#nordic#lamp | REVIEW#2026-01-14#ada | stars, text, votes |

`nordic` is a seller. The secondary index `by-customer` has the orders of a customer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from service import Action, CollectionRoute, Context, Document, Item, Reindex, TableRecord, TableRoute

KEY = {"PK": "S", "SK": "S"}


def customer_key(customer: str) -> dict[str, str]:
    return {"PK": f"CUSTOMER#{customer}", "SK": "CUSTOMER"}


class Customers(TableRoute):
    """Customers."""

    table: ClassVar = "shop"
    key: ClassVar = KEY
    where: ClassVar = {"PK": "CUSTOMER#*"}
    index: ClassVar = "customers"

    def document(self, item: Item) -> Document:
        return {"name": item["name"], "email": item["email"]}


class Orders(CollectionRoute):
    """Orders with their lines and the names of their customers."""

    table: ClassVar = "shop"
    key: ClassVar = KEY
    where: ClassVar = {"PK": "ORDER#*"}
    index: ClassVar = "orders"
    reads: ClassVar = ("shop",)

    def documents(self, collections: Sequence[Sequence[Item]], context: Context) -> Sequence[Document | None]:
        orders = [{item["SK"]: item for item in items} for items in collections]
        keys = [customer_key(order["ORDER"]["customer"]) for order in orders if "ORDER" in order]
        customers = [customer for customer in context.tables["shop"].get(keys) if customer]
        names = {customer["PK"]: customer["name"] for customer in customers}
        return [self.with_lines(order, names) for order in orders]

    def with_lines(self, order: Mapping[str, Item], names: Mapping[str, str]) -> Document | None:
        head = order.get("ORDER")
        if head is None:  # the lines of an order that was deleted
            return None
        lines = [item for sort, item in order.items() if sort.startswith("LINE#")]
        return {
            "placed": head["placed"],
            "customer": names.get(customer_key(head["customer"])["PK"]),
            "lines": [{"product": line["product"], "quantity": line["quantity"]} for line in lines],
        }


class CustomerOrders(TableRoute):
    """The orders of a customer, whose documents change with the customer's name."""

    table: ClassVar = "shop"
    key: ClassVar = KEY
    where: ClassVar = {"PK": "CUSTOMER#*"}
    reads: ClassVar = ("shop/by-customer",)
    reindexes: ClassVar = (Orders,)

    def modify(self, record: TableRecord, context: Context) -> Iterable[Action]:
        customer = record.keys["PK"].removeprefix("CUSTOMER#")
        orders = context.tables["shop"].query({"customer": customer}, "by-customer")
        return [Reindex(Orders, ({"PK": order["PK"]} for order in orders))]

    insert = modify
    remove = modify


class Products(CollectionRoute):
    """Products with the number and the average of their stars."""

    table: ClassVar = "shop"
    key: ClassVar = KEY
    where: ClassVar = {"PK": "PRODUCT#*"}
    index: ClassVar = "products"

    def document(self, items: Sequence[Item]) -> Document | None:
        product = next((item for item in items if item["SK"] == "PRODUCT"), None)
        if product is None:
            return None
        stars = [item["stars"] for item in items if item["SK"].startswith("REVIEW#")]
        rating = round(sum(stars) / len(stars), 2) if stars else None
        return {"name": product["name"], "price": product["price"], "reviews": len(stars), "rating": rating}


class Reviews(TableRoute):
    """Reviews, in an index for each seller and month."""

    table: ClassVar = "shop"
    key: ClassVar = KEY
    where: ClassVar = {"PK": "PRODUCT#*", "SK": "REVIEW#*"}
    index: ClassVar = "reviews-*"
    aliases: ClassVar = ("all-reviews",)
    skip_unchanged: ClassVar = True  # a vote changes the item and not its document

    def index_of(self, keys: Mapping[str, Any]) -> str:
        _, seller, _ = keys["PK"].split("#")
        _, date, _ = keys["SK"].split("#")
        return f"reviews-{seller}-{date[:7]}"

    def routing_of(self, keys: Mapping[str, Any]) -> str:
        return str(keys["PK"])

    def document(self, item: Item) -> Document:
        return {"product": item["PK"].removeprefix("PRODUCT#"), "stars": item["stars"], "text": item["text"]}


class Chunks(TableRoute):
    """The paragraphs of descriptions for semantic search, each with its own embedding."""

    table: ClassVar = "shop"
    key: ClassVar = KEY
    where: ClassVar = {"PK": "PRODUCT#*", "SK": "PRODUCT"}
    index: ClassVar = "chunks"
    mapping: ClassVar = {"properties": {"embedding": {"type": "keyword"}}}
    pipeline: ClassVar = "embed"
    # `lowercase` stands for a model, which the embedded search server does not have.
    pipelines: ClassVar = {
        "embed": {"processors": [{"lowercase": {"field": "text", "target_field": "embedding"}}]}
    }
    computed: ClassVar = ("embedding",)

    def documents_of(self, item: Item) -> Mapping[str, Document]:
        paragraphs = filter(None, item.get("description", "").split("\n\n"))
        return {str(number): {"text": text} for number, text in enumerate(paragraphs)}
