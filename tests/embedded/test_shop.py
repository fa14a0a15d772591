"""The example shop, end to end: its indices are a function of its table."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from deployments import Running, ask, aws_client, drop, eventually

from examples.shop.data import LAMP, add_index, change, rename, seed
from examples.shop.routes import customer_key
from infra.shim.provision import provision
from service.bootstrap.application import App
from service.routing.loading import load_routes
from service.settings import Settings

INDICES = ("chunks", "customers", "orders", "products")
NO_INDEX = "index by-customer of table shop is not created, because routes do not declare the keys of indexes"


class Shop:
    """The table of the shop, and the documents of its indices."""

    def __init__(self, aws_url: str, search_url: str):
        self.table = aws_client(aws_url, "dynamodb", "resource").Table("shop")
        self.addresses = {"AWS_ENDPOINT_URL": aws_url, "SEARCH_URL": search_url}
        self._url = search_url

    def names(self) -> list[str]:
        """Return the names under which the indices are searched."""
        found = ask("GET", f"{self._url}/_alias")
        reviews = {alias for index in found.values() for alias in index["aliases"] if alias.startswith("reviews-")}
        return [*INDICES, *sorted(reviews)]

    def found(self) -> dict[Any, Any]:
        """Return all documents by index, id and routing value."""
        documents = {}
        for name in self.names():
            ask("POST", f"{self._url}/{name}/_refresh")
            for hit in ask("POST", f"{self._url}/{name}/_search", {"size": 1000})["hits"]["hits"]:
                documents[name, hit["_id"], hit.get("_routing")] = hit["_source"]
        return documents

    def expected(self) -> dict[Any, Any]:
        """Return the documents as a function of the table."""
        items: dict[str, dict[str, Any]] = {}
        for item in self.table.scan()["Items"]:
            items.setdefault(item["PK"], {})[item["SK"]] = item
        documents: dict[Any, Any] = {}
        for key, rows in sorted(items.items()):
            if "CUSTOMER" in rows:
                customer = rows["CUSTOMER"]
                documents["customers", f"{key}|CUSTOMER", None] = {
                    "name": customer["name"],
                    "email": customer["email"],
                }
            if "ORDER" in rows:
                order = rows["ORDER"]
                customer = items.get(f"CUSTOMER#{order['customer']}", {}).get("CUSTOMER", {})
                lines = [rows[sort] for sort in sorted(rows) if sort.startswith("LINE#")]
                documents["orders", key, None] = {
                    "placed": order["placed"],
                    "customer": customer.get("name"),
                    "lines": [{"product": line["product"], "quantity": int(line["quantity"])} for line in lines],
                }
            reviews = {sort: item for sort, item in rows.items() if sort.startswith("REVIEW#")}
            stars = [int(review["stars"]) for review in reviews.values()]
            if "PRODUCT" in rows:
                documents["products", key, None] = {
                    "name": rows["PRODUCT"]["name"],
                    "price": float(rows["PRODUCT"]["price"]),
                    "reviews": len(stars),
                    "rating": round(sum(stars) / len(stars), 2) if stars else None,
                }
                for number, text in enumerate(filter(None, rows["PRODUCT"].get("description", "").split("\n\n"))):
                    parent = f"{key}|PRODUCT"
                    chunk = {"streamdex_parent": parent, "text": text, "embedding": text.lower()}
                    documents["chunks", f"{parent}~/{number}", None] = chunk
            for sort, review in reviews.items():
                product = key.removeprefix("PRODUCT#")
                index = f"reviews-{product.split('#')[0]}-{sort.split('#')[1][:7]}"
                document = {"product": product, "stars": int(review["stars"]), "text": review["text"]}
                documents[index, f"{key}|{sort}", key] = document
        return documents

    def answer(self, path: str) -> str:
        with urllib.request.urlopen(f"{self._url}/{path}") as answer:
            return str(answer.read(), "utf-8")

    def put(self, pk: str, sk: str, **attributes: Any) -> None:
        self.table.put_item(Item={"PK": pk, "SK": sk, **attributes})

    def delete(self, pk: str, sk: str) -> None:
        self.table.delete_item(Key={"PK": pk, "SK": sk})


@pytest.fixture
def shop(aws_url: str, pipelines_url: str, tmp_path: Path) -> Iterator[Shop]:
    settings = Settings(
        aws_endpoint_url=aws_url,
        search_url=pipelines_url,
        poll_interval=0.05,
        checkpoints=str(tmp_path / "checkpoints.sqlite"),
        dead_letters=str(tmp_path / "letters"),
        index_lag=0.0,  # the embedded server has no lag
    )
    opened = Shop(aws_url, pipelines_url)
    with App(settings, [kind() for kind in load_routes("examples.shop")]) as app:
        (note,) = provision(app)
        assert note.startswith(NO_INDEX)
        add_index(opened.table)
        assert provision(app) == []
        seed(opened.table)
        workers = Running(app)
        yield opened
        workers.stop()
    assert not list(tmp_path.glob("letters/*"))
    for name in opened.names():
        drop(pipelines_url, name)
    opened.table.delete()


CHANGES: dict[str, Callable[[Shop], None]] = {
    "a customer is renamed": lambda shop: rename(shop.table, "ada", "Ada King"),
    "a customer is deleted": lambda shop: shop.delete(*customer_key("bob").values()),
    "a deleted customer comes back": lambda shop: shop.put(
        *customer_key("bob").values(), name="Bob Brook", email="b@example.com"
    ),
    "an order gets another customer": lambda shop: shop.put(
        "ORDER#1002", "ORDER", customer="bob", placed="2026-02-11"
    ),
    "a line is added": lambda shop: shop.put("ORDER#1002", "LINE#2", product="nordic#lamp", quantity=9),
    "a line is deleted": lambda shop: shop.delete("ORDER#1001", "LINE#1"),
    "an order is deleted before its lines": lambda shop: shop.delete("ORDER#1003", "ORDER"),
    "a product is changed": lambda shop: shop.put(LAMP, "PRODUCT", name="Lamp", price=75, description="Tall."),
    "a review is added": lambda shop: shop.put(LAMP, "REVIEW#2026-03-01#bob", stars=1, text="Broke.", votes=0),
    "a review is changed": lambda shop: shop.put(LAMP, "REVIEW#2026-01-14#ada", stars=2, text="Hot.", votes=0),
    "a review is deleted": lambda shop: shop.delete(LAMP, "REVIEW#2026-02-20#bob"),
    "a product is deleted before its reviews": lambda shop: shop.delete(LAMP, "PRODUCT"),
}


def test_the_indices_follow_every_kind_of_change(shop: Shop):
    eventually(shop.found, shop.expected())
    assert {name for name, _, _ in shop.found()} == {*INDICES, *shop.names()}
    for said, do in CHANGES.items():
        before = shop.expected()
        do(shop)
        assert shop.expected() != before, said
        eventually(shop.found, shop.expected())


def test_the_indices_follow_many_changes_at_once(shop: Shop):
    chance = random.Random(7)
    for _ in range(200):
        change(shop.table, chance)
    eventually(shop.found, shop.expected())


def test_the_tutorial_shows_what_a_reader_sees(shop: Shop):
    blocks = re.findall(r"```(sh|json|text)\n(.*?)```", Path("docs/tutorial.md").read_text(), re.DOTALL)
    compared = 0
    for (kind, command), (shows, output) in pairwise(blocks):
        if kind == "sh" and command.startswith("curl"):
            (url,) = re.findall(r"'http://127.0.0.1:9200/(.*)'", command)
            read = json.loads if shows == "json" else str.split
            eventually(lambda url=url, read=read: read(shop.answer(url)), read(output))
            compared += 1
        elif kind == "sh" and ".venv/bin/python" in command and "pytest" not in command:
            eventually(shop.found, shop.expected())
            printed = run(command, shop.addresses)
            assert printed.endswith(output.partition(": ")[2] if "verify" in command else "")
    assert compared == 9


def test_a_check_before_a_rebuild_makes_each_document_as_the_service_does(shop: Shop):
    printed = run(".venv/bin/python -m service indices check --config=examples/shop/streamdex.yml", shop.addresses)
    found = dict(re.findall(r"^(\S+): 14 items, (\d+) documents?: all fit$", printed, re.MULTILINE))
    assert found == {"chunks": "2", "customers": "2", "orders": "3", "products": "2", "reviews-*": "3"}


def run(command: str, addresses: dict[str, str]) -> str:
    """Run the last line of a command as a user does, with the addresses of the servers. Return its output."""
    line = command.splitlines()[-1].replace(".venv/bin/python", sys.executable)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("STREAMDEX_")}
    done = subprocess.run(line, shell=True, env=variables | addresses, capture_output=True, text=True, check=True)
    return done.stdout
