"""The items of the shop, and a program that writes them while `make run` works:

python -m examples.shop.data seed
python -m examples.shop.data rename ada "Ada King"
python -m examples.shop.data change 100

It writes to the embedded server, or to the emulator at AWS_ENDPOINT_URL, and never to an AWS account.
"""

from __future__ import annotations

import os
import random
from argparse import ArgumentParser
from decimal import Decimal
from typing import Any, Final

import boto3

from .routes import customer_key

DESCRIPTION = "A Lamp for the desk.\n\nIts light is warm."
LAMP, MUG = "PRODUCT#nordic#lamp", "PRODUCT#atlas#mug"

ITEMS: Final[tuple[dict[str, Any], ...]] = (
    {**customer_key("ada"), "name": "Ada Byron", "email": "ada@example.com"},
    {**customer_key("bob"), "name": "Bob Stone", "email": "bob@example.com"},
    {"PK": "ORDER#1001", "SK": "ORDER", "customer": "ada", "placed": "2026-01-09"},
    {"PK": "ORDER#1001", "SK": "LINE#1", "product": "nordic#lamp", "quantity": 1},
    {"PK": "ORDER#1001", "SK": "LINE#2", "product": "atlas#mug", "quantity": 4},
    {"PK": "ORDER#1002", "SK": "ORDER", "customer": "ada", "placed": "2026-02-11"},
    {"PK": "ORDER#1002", "SK": "LINE#1", "product": "atlas#mug", "quantity": 2},
    {"PK": "ORDER#1003", "SK": "ORDER", "customer": "bob", "placed": "2026-02-12"},
    {"PK": "ORDER#1003", "SK": "LINE#1", "product": "nordic#lamp", "quantity": 2},
    {"PK": LAMP, "SK": "PRODUCT", "name": "Desk lamp", "price": Decimal("59.90"), "description": DESCRIPTION},
    {"PK": LAMP, "SK": "REVIEW#2026-01-14#ada", "stars": 5, "text": "Warm light.", "votes": 3},
    {"PK": LAMP, "SK": "REVIEW#2026-02-20#bob", "stars": 4, "text": "A short cable.", "votes": 0},
    {"PK": MUG, "SK": "PRODUCT", "name": "Mug", "price": Decimal("12.50")},
    {"PK": MUG, "SK": "REVIEW#2026-02-15#ada", "stars": 3, "text": "Heavy.", "votes": 1},
)


def add_index(table: Any) -> None:
    """Create the secondary index `by-customer`. An item without the attribute `customer` is not in it."""
    if table.global_secondary_indexes:
        return
    key = {"AttributeName": "customer", "KeyType": "HASH"}
    index = {"IndexName": "by-customer", "KeySchema": [key], "Projection": {"ProjectionType": "KEYS_ONLY"}}
    table.update(
        AttributeDefinitions=[*table.attribute_definitions, {"AttributeName": "customer", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )


def seed(table: Any) -> None:
    """Put the items into the table."""
    for item in ITEMS:
        table.put_item(Item=item)


def rename(table: Any, customer: str, name: str) -> None:
    """Change the name of a customer."""
    table.update_item(
        Key=customer_key(customer),
        UpdateExpression="SET #name = :name",
        ConditionExpression="attribute_exists(PK)",
        ExpressionAttributeNames={"#name": "name"},
        ExpressionAttributeValues={":name": name},
    )


def change(table: Any, chance: random.Random) -> None:
    """Put or delete one item of any kind."""
    customer, product = chance.choice(("ada", "bob", "cem")), chance.choice((LAMP, MUG))
    description = "\n\n".join(chance.choices(("A", "B", "C"), k=chance.randint(0, 3)))
    order, day = f"ORDER#{chance.randint(1001, 1004)}", f"2026-0{chance.randint(1, 3)}-01"
    number, word = chance.randint(1, 5), chance.choice(("Blue", "Green", "Red"))
    items: list[dict[str, Any]] = [
        {**customer_key(customer), "name": f"{word} {customer}", "email": f"{customer}@example.com"},
        {"PK": order, "SK": "ORDER", "customer": customer, "placed": day},
        {"PK": order, "SK": f"LINE#{number}", "product": product, "quantity": number},
        {"PK": product, "SK": "PRODUCT", "name": word, "price": number, "description": description},
        {"PK": product, "SK": f"REVIEW#{day}#{customer}", "stars": number, "text": word, "votes": number},
    ]
    item = chance.choice(items)
    if chance.random() < 0.2:
        table.delete_item(Key={"PK": item["PK"], "SK": item["SK"]})
    else:
        table.put_item(Item=item)


def main() -> None:
    parser = ArgumentParser("python -m examples.shop.data", description="Write items of the shop.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("seed", help="create the index by-customer, and put the first items")
    renaming = commands.add_parser("rename", help="change the name of a customer")
    renaming.add_argument("customer", help="such as ada")
    renaming.add_argument("name", help="the new name")
    changing = commands.add_parser("change", help="put or delete random items of all kinds")
    changing.add_argument("changes", type=int, help="the number of changes")
    chosen = parser.parse_args()
    table = shop_table()
    if chosen.command == "seed":
        add_index(table)
        seed(table)
    elif chosen.command == "rename":
        rename(table, chosen.customer, chosen.name)
    else:
        chance = random.Random()
        for _ in range(chosen.changes):
            change(table, chance)


def shop_table() -> Any:
    """Return the table at the emulator. The credentials are those of no account."""
    session = boto3.Session("streamdex", "streamdex", region_name=os.environ.get("AWS_REGION", "us-east-1"))
    url = os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    return session.resource("dynamodb", endpoint_url=url).Table("shop")


if __name__ == "__main__":
    main()
