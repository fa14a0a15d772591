"""Documents made of the items of two tables, while several processes read the streams of these tables."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from builders import sqs_message, stream_record
from fakes import Bench, IndexModel
from turns import Turns

from service import Action, CollectionRoute, Context, Document, Item, Reindex, TableRecord, TableRoute
from service.pipeline import Result, Write
from service.pipeline.delivery import Fence, no_fence
from service.pipeline.prefetch import Prefetch
from service.settings import Settings
from service.sources.current_state import Lookups
from service.tables_in_memory import TablesInMemory

START = 1_700_000_000.0
SKEW = 3.0
"""Maximum difference in seconds between the clock of a stream and that of its reader."""


class Orders(CollectionRoute):
    """An order with its lines and the name of its customer."""

    table: ClassVar = "orders"
    key: ClassVar = {"PK": "S", "SK": "S"}
    index: ClassVar = "orders"
    reads: ClassVar = ("customers",)

    def documents(self, collections: Sequence[Sequence[Item]], context: Context) -> Sequence[Document | None]:
        heads = [next((item for item in items if item["SK"] == "HEAD"), None) for items in collections]
        keys = [{"id": head["customer"]} for head in heads if head]
        customers = dict(zip((key["id"] for key in keys), context.tables["customers"].get(keys), strict=True))
        return [
            order_of(head, items, customers.get(head["customer"])) if head else None
            for head, items in zip(heads, collections, strict=True)
        ]


def order_of(head: Item, items: Sequence[Item], customer: Item | None) -> Document:
    lines = [item["n"] for item in items if item["SK"] != "HEAD"]
    return {"customer": customer and customer["name"], "lines": lines}


def documents_of_shop(orders: Iterable[Item], customers: Iterable[Item]) -> dict[str, Any]:
    """Return the documents of the orders as a function of both tables."""
    by_order: dict[str, list[Item]] = {}
    for item in orders:
        by_order.setdefault(item["PK"], []).append(item)
    by_name = {item["id"]: item for item in customers}
    found = {}
    for name, items in by_order.items():
        items.sort(key=lambda item: item["SK"])
        head = next((item for item in items if item["SK"] == "HEAD"), None)
        if head:
            found[name] = order_of(head, items, by_name.get(head["customer"]))
    return found


class Customers(TableRoute):
    """A customer. A change of it changes its orders."""

    table: ClassVar = "customers"
    key: ClassVar = {"id": "S"}
    reads: ClassVar = ("orders/by-customer",)
    reindexes: ClassVar = (Orders,)

    def insert(self, record: TableRecord, context: Context) -> Iterable[Action]:
        orders = context.tables["orders"].query({"customer": record.keys["id"]}, "by-customer")
        return [Reindex(Orders, ({"PK": order["PK"]} for order in orders))]

    modify = insert
    remove = insert


class Shop(TablesInMemory):
    """The tables, their streams and their secondary index, which shows changes after `lag` seconds."""

    def __init__(self, turns: Turns, lag: float):
        super().__init__(sort_keys={"orders": "SK"}, page=2)
        self.now = START
        self.streams: dict[str, list[Any]] = {"customers": [], "orders": []}
        self._turns = turns
        self._lag = lag
        self._past: list[tuple[float, Mapping[str, list[Item]]]] = []
        self.delayed = self._shown

    def put(self, table: str, keys: Item, item: Item | None, skew: float) -> None:
        items = self.tables.setdefault(table, [])
        old = next((one for one in items if keys.items() <= one.items()), None)
        if old is None and item is None:
            return
        if old is not None:
            items.remove(old)
        if item is not None:
            items.append(item)
        event = "REMOVE" if item is None else "INSERT" if old is None else "MODIFY"
        number = sum(map(len, self.streams.values())) + 1
        created = int(self.now + skew)
        sequence = f"{number}{0:020d}"
        record = stream_record(
            event, table=table, keys=keys, new=item, old=old, sequence=sequence, created=created
        )
        self.streams[table].append(record)
        self._past.append((self.now, {name: list(items) for name, items in self.tables.items()}))

    def _shown(self, table: str) -> Sequence[Item]:
        seen = [tables for time, tables in self._past if time <= self.now - self._lag]
        return seen[-1].get(table, []) if seen else []

    def batch_get_item(self, RequestItems: Mapping[str, Any]) -> Any:
        self._turns.pause()
        return super().batch_get_item(RequestItems)

    def query(self, TableName: str, ExclusiveStartKey: Any = None, IndexName: str = "", **request: Any) -> Any:
        self._turns.pause()
        return super().query(TableName, ExclusiveStartKey, IndexName, **request)

    def expected(self) -> dict[str, Any]:
        return documents_of_shop(self.tables.get("orders", []), self.tables.get("customers", []))


class SlowIndex(IndexModel):
    """An index that responds with a delay, and forgets the versions of deleted documents at any time."""

    def __init__(self, turns: Turns, chance: random.Random):
        super().__init__()
        self._turns = turns
        self._chance = chance

    def write(
        self, writes: Sequence[Write], fence: Fence = no_fence, prefetch: Prefetch | None = None
    ) -> list[Result]:
        self._turns.pause()
        if self._chance.random() < 0.2:
            for place in [place for place in self.versions if place not in self.documents]:
                del self.versions[place]
        return super().write(writes, fence, prefetch)


class Scene:
    """Changes of the tables, and several processes that follow them. `ways` are how each process gets records."""

    def __init__(
        self,
        seed: int,
        changes: int,
        *,
        gaps: Sequence[float] = (0.0, 0.0, 0.3, 1.0, 4.0),
        lag: float = 0.0,
        index_lag: float = 0.0,
        queue: bool = False,
        redrives: bool = False,
    ):
        self.chance = random.Random(seed)
        self.turns = Turns(self.chance)
        self.shop = Shop(self.turns, lag)
        self.index = SlowIndex(self.turns, self.chance)
        self._changes = changes
        self._gaps = gaps
        self._settings = Settings(index_lag=index_lag)
        self._queue = queue
        self._redrives = redrives
        self._skews = {table: self.chance.uniform(-SKEW, SKEW) for table in self.shop.streams}
        self._written = False

    def run(self) -> None:
        readers = [partial(self._read, table) for table in self.shop.streams]
        again = [self._redrive] * 2 if self._redrives else []
        self.turns.run([self._write, *readers, *again])

    def sleep(self, seconds: float) -> None:
        self.turns.pause()
        self.shop.now += seconds

    def assert_equal(self) -> None:
        found = {name: document for (_, name), document in self.index.documents.items()}
        assert found == self.shop.expected()

    def bench(self, **options: Any) -> Bench:
        context = Context(self._settings, dynamodb=self.shop)
        return Bench(
            Orders(),
            Customers(),
            context=context,
            truth=Lookups(context),
            index=self.index,
            clock=lambda: self.shop.now,
            **options,
        )

    def _write(self) -> None:
        for number in range(self._changes):
            self.turns.pause()
            self.shop.now += self.chance.choice(self._gaps)
            self._change(number)
        self._written = True

    def _change(self, number: int) -> None:
        customer = self.chance.choice("ab")
        order = self.chance.choice("12")
        gone = self.chance.random() < 0.3
        kind = self.chance.choice(["customer", "order", "line"])
        if kind == "customer":
            item = None if gone else {"id": customer, "name": f"name {number}"}
            self.shop.put("customers", {"id": customer}, item, self._skews["customers"])
        elif kind == "order":
            keys = {"PK": order, "SK": "HEAD"}
            self.shop.put("orders", keys, None if gone else {**keys, "customer": customer}, self._skews["orders"])
        else:
            keys = {"PK": order, "SK": f"LINE{self.chance.choice('12')}"}
            self.shop.put("orders", keys, None if gone else {**keys, "n": number}, self._skews["orders"])

    def _read(self, table: str) -> None:
        """Read a stream in order, sometimes once more from an earlier position."""
        bench, position, records = self.bench(), 0, self.shop.streams[table]
        while not self._written or position < len(records):
            self.turns.pause()
            batch = records[position : position + self.chance.randint(1, 4)]
            if not batch:
                continue
            report = bench.dispatch(*self._delivered(batch))
            position += report.undone[0] if report.undone else len(batch)
            if self.chance.random() < 0.1:
                position = self.chance.randint(0, position)

    def _delivered(self, batch: Sequence[Any]) -> Sequence[Any]:
        if not self._queue:
            return batch
        messages = [sqs_message(record, f"m{number}") for number, record in enumerate(batch)]
        return self.chance.sample(messages, len(messages))

    def _redrive(self) -> None:
        """Deliver old records again, as an operator does with dead letters."""
        bench = self.bench(always=True)
        while not self._written:
            self.turns.pause()
            records = self.chance.choice(list(self.shop.streams.values()))
            if records:
                bench.dispatch(self.chance.choice(records))
