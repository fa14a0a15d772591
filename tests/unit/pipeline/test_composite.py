"""Documents of several items: reads per batch, Reindex, and its limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import pytest
from builders import s3_record, stream_record
from fakes import Bench
from shop_scene import Customers, Orders

from service import BucketRoute, CollectionRoute, Context, Document, Index, Item, Reindex, TableRoute
from service.errors import DeclarationError
from service.model.outcomes import Outcome, Result
from service.model.versions import stream_version
from service.routing import Router
from service.settings import Settings
from service.sources.current_state import Lookups
from service.tables_in_memory import TablesInMemory

SHOP = {
    "customers": [{"id": "a", "name": "Ada"}, {"id": "b", "name": "Bob"}],
    "orders": [
        {"PK": "1", "SK": "HEAD", "customer": "a"},
        *({"PK": "1", "SK": f"LINE{n:02}", "n": n} for n in range(20)),
        {"PK": "2", "SK": "HEAD", "customer": "a"},
    ],
}


def bench(client: TablesInMemory, *routes: Any, settings: Settings | None = None, **options: Any) -> Bench:
    context = Context(settings or Settings(index_lag=0.0), dynamodb=client)
    return Bench(*(routes or (Orders(), Customers())), context=context, truth=Lookups(context), **options)


def shop() -> TablesInMemory:
    return TablesInMemory(SHOP, page=100)


def order(number: int, sort: str = "HEAD", pk: str = "1", **extra: Any) -> Any:
    keys = {"PK": pk, "SK": sort}
    return stream_record(table="orders", keys=keys, new=keys, sequence=f"{number}{0:020d}", **extra)


def customer(name: str = "a", number: int = 1, event: str = "MODIFY", **extra: Any) -> Any:
    return stream_record(
        event, table="customers", keys={"id": name}, new={"id": name}, sequence=f"{number}{0:020d}", **extra
    )


def test_a_collection_of_twenty_items_is_one_document_from_one_query_and_one_check():
    client = shop()
    found = bench(client)
    outcomes = found.outcomes(*[order(n + 1, f"LINE{n:02}") for n in range(20)])
    assert outcomes == ["STALE"] * 19 + ["APPLIED"]
    assert found.documents == {"1": {"customer": "Ada", "lines": list(range(20))}}
    assert client.calls == [("query", "orders"), ("get", "customers")] * 2
    assert len(found.index.sent) == 1


def test_the_orders_of_a_renamed_customer_are_made_again():
    client = shop()
    found = bench(client)
    assert found.outcomes(customer()) == ["APPLIED"]
    assert found.documents == {
        "1": {"customer": "Ada", "lines": list(range(20))},
        "2": {"customer": "Ada", "lines": []},
    }
    assert {write.version for write in found.index.sent} == {stream_version(1_700_000_000, 10**20)}


def test_a_document_that_several_records_change_is_made_once():
    found = bench(shop())
    assert found.outcomes(order(1), customer("a", 2), customer("a", 3)) == ["APPLIED"] * 3
    assert [write.id for write in found.index.sent] == ["1", "2"]
    assert max(write.version for write in found.index.sent) == stream_version(1_700_000_000, 3 * 10**20)


class Products(TableRoute):
    """A product with the number of its reviews."""

    table: ClassVar = "products"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "products"
    reads: ClassVar = ("reviews",)

    def documents(self, items: Sequence[Item], context: Context) -> Sequence[Document]:
        return [{"n": len(list(context.tables["reviews"].query({"product": item["id"]})))} for item in items]


class Reviews(TableRoute):
    """A review. It can move to another product."""

    table: ClassVar = "reviews"
    key: ClassVar = {"product": "S", "id": "S"}
    index: ClassVar = "reviews"
    reindexes: ClassVar = (Products,)

    def modify(self, record, context):
        images = [image for image in (record.old, record.new) if image]
        return [Index(record.new), Reindex(Products, [{"id": image["of"]} for image in images])]


def test_a_re_read_record_still_names_the_documents_of_its_old_image():
    client = TablesInMemory(
        {"products": [{"id": "p"}, {"id": "q"}], "reviews": [{"product": "q", "id": "r", "of": "q"}]}
    )
    keys = {"product": "q", "id": "r"}
    moved = stream_record("MODIFY", table="reviews", keys=keys, old={**keys, "of": "p"}, new={**keys, "of": "q"})
    found = bench(client, Products(), Reviews(), always=True)
    assert found.outcomes(moved) == ["APPLIED"]
    assert {write.id for write in found.index.sent if write.target == "products"} == {"p", "q"}


def test_a_key_whose_item_does_not_exist_deletes_its_document():
    found = bench(TablesInMemory({"orders": [{"PK": "1", "SK": "LINE1", "n": 1}]}), Orders(), Asking())
    assert found.outcomes(s3_record("1")) == ["APPLIED"]
    assert [type(write.action).__name__ for write in found.index.sent] == ["Delete"]


class Asking(BucketRoute):
    """An object whose name is that of an order."""

    bucket: ClassVar = "images-in"
    reindexes: ClassVar = (Orders,)

    def created(self, upload, context):
        return [Reindex(Orders, [{"PK": upload.key}])]


def test_an_object_can_change_a_document_of_items():
    found = bench(shop(), Orders(), Asking())
    assert found.outcomes(s3_record("2")) == ["APPLIED"]
    assert found.documents == {"2": {"customer": "Ada", "lines": []}}


def test_a_document_that_the_server_rejects_is_a_dead_letter_of_its_own():
    bad = Result(Outcome.REJECTED, "the mapping has another type", 400)
    found = bench(shop(), forced={"1": [bad]})
    assert found.outcomes(customer()) == ["APPLIED"]
    (letter,) = found.letters.letters
    assert (letter.route, letter.result) == ("shop_scene:Orders", bad)
    assert letter.record.keys == {"PK": "1"}
    assert sorted(found.documents) == ["2"]
    assert bench(shop(), always=True).outcomes(letter.record.raw) == ["APPLIED"]


def test_a_record_waits_until_all_its_documents_are_made():
    wait = Result(Outcome.RETRY, "503", 503)
    found = bench(shop(), forced={"2": [wait] * 100})
    assert found.outcomes(customer()) == ["RETRY"]
    assert sorted(found.documents) == ["1"]


def test_it_is_retried_within_the_delivery():
    wait = Result(Outcome.RETRY, "503", 503)
    found = bench(shop(), forced={"2": [wait]}, tries=True)
    assert found.outcomes(customer()) == ["APPLIED"]
    assert sorted(found.documents) == ["1", "2"]


def test_a_collection_larger_than_the_limit_is_a_dead_letter():
    found = bench(shop(), settings=Settings(collection_items=20))
    report = found.dispatch(order(1))
    assert report.results[0].outcome is Outcome.REJECTED
    assert "the collection has more than 20 items: raise the setting collection_items" in report.results[0].reason


def test_a_lambda_without_a_task_queue_rejects_what_is_beyond_the_limit():
    found = bench(shop(), settings=Settings(reindex_inline=1, index_lag=0.0, lambda_function="sync"))
    report = found.dispatch(customer())
    assert report.results[0].outcome is Outcome.REJECTED
    assert "it changes more than 1 documents (setting reindex_inline)" in report.results[0].reason


def test_the_limit_is_that_of_a_record_however_many_actions_it_returns():
    class Twice(BucketRoute):
        bucket: ClassVar = "images-in"
        reindexes: ClassVar = (Orders,)

        def created(self, upload, context):
            return [Reindex(Orders, [{"PK": name}]) for name in "12"]

    settings = Settings(reindex_inline=1, index_lag=0.0, lambda_function="sync")
    report = bench(shop(), Orders(), Twice(), settings=settings).dispatch(s3_record("x"))
    assert report.results[0].outcome is Outcome.REJECTED
    assert "it changes more than 1 documents" in report.results[0].reason


def test_a_container_without_a_task_queue_makes_them_all():
    found = bench(shop(), settings=Settings(reindex_inline=1, index_lag=0.0))
    assert found.outcomes(customer()) == ["APPLIED"]
    assert len(found.documents) == 2


def test_keys_are_read_bit_by_bit_while_documents_are_made(monkeypatch):
    monkeypatch.setattr("service.pipeline.composite.AT_ONCE", 10)
    made: list[int] = []

    class Many(BucketRoute):
        bucket: ClassVar = "images-in"
        reindexes: ClassVar = (Orders,)

        def created(self, upload, context) -> Iterable[Reindex]:
            def keys():
                for number in range(100):
                    made.append(len(found.index.sent))
                    yield {"PK": str(number)}

            return [Reindex(Orders, keys())]

    found = bench(TablesInMemory(), Orders(), Many())
    assert found.outcomes(s3_record("x")) == ["APPLIED"]
    assert made == [number // 10 * 10 for number in range(100)]


def test_an_error_while_keys_are_read_is_the_result_of_the_record():
    class Broken(BucketRoute):
        bucket: ClassVar = "images-in"
        reindexes: ClassVar = (Orders,)

        def created(self, upload, context):
            return [Reindex(Orders, ({"PK": 1 // n} for n in range(1)))]

    report = bench(shop(), Orders(), Broken()).dispatch(s3_record("x"))
    assert report.results[0].outcome is Outcome.REJECTED
    assert "ZeroDivisionError" in report.results[0].reason


def test_reindex_of_a_route_that_is_not_listed_is_a_dead_letter():
    class Undeclared(Asking):
        reindexes: ClassVar = (Products,)

    report = bench(shop(), Orders(), Products(), Undeclared()).dispatch(s3_record("x"))
    assert "returned Reindex(Orders, …), which it does not list in reindexes" in report.results[0].reason


class Parts(CollectionRoute):
    """Orders in the partition of their customer: ORDER#7, ORDER#7#LINE#1, …"""

    table: ClassVar = "orders"
    key: ClassVar = {"PK": "S", "SK": "S"}
    index: ClassVar = "orders"

    def sort_prefix(self, sort):
        kind, _, rest = sort.partition("#")
        return f"ORDER#{rest.partition('#')[0]}" if kind == "ORDER" else None

    def document(self, items):
        return {"sorts": [item["SK"] for item in items]}


def test_a_partition_can_have_several_collections():
    sorts = ["ORDER#7", "ORDER#7#LINE#1", "ORDER#71", "PROFILE"]
    client = TablesInMemory({"orders": [{"PK": "a", "SK": sort} for sort in sorts]})
    found = bench(client, Parts())
    outcomes = found.outcomes(*[order(number, sort, "a") for number, sort in enumerate(sorts, start=1)])
    assert outcomes == ["STALE", "APPLIED", "APPLIED", "SKIPPED"]
    assert found.documents == {
        "a|ORDER#7": {"sorts": ["ORDER#7", "ORDER#7#LINE#1"]},
        "a|ORDER#71": {"sorts": ["ORDER#71"]},
    }


def test_a_route_without_any_of_this_reads_nothing():
    class Plain(TableRoute):
        table: ClassVar = "orders"
        key: ClassVar = {"PK": "S", "SK": "S"}
        index: ClassVar = "plain"

        def document(self, item):
            return item

    client = shop()
    assert bench(client, Plain()).outcomes(order(1)) == ["APPLIED"]
    assert client.calls == []


def declared(**attributes: Any) -> Any:
    """Return an instance of a CollectionRoute that is declared correctly but for these attributes."""
    body = {"table": "t", "key": {"PK": "S", "SK": "S"}, "index": "i", "document": lambda self, items: {}}
    return type("Route", (attributes.pop("base", CollectionRoute),), body | attributes)()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"key": {"PK": "S"}}, "declare a key of partition key and sort key"),
        ({"where": {"SK": "ORDER#*"}}, r"Override sort_prefix\(\)"),
        ({"key": {"PK": "S", "SK": "N"}, "sort_prefix": lambda self, sort: ""}, "needs a sort key of type S"),
        ({"modify": lambda self, record, context: []}, "has its own method for MODIFY"),
        ({"writes": {"table": "other"}}, "Move them to another route"),
        ({"wants": lambda self, record: True}, r"Return None from document\(\)"),
        ({"reads": "customers"}, "add a comma after a single member"),
        ({"reads": ("customers/",)}, "neither a"),
        ({"reads": ("custom*",)}, "neither a"),
        ({"reindexes": (Reviews,)}, "neither a CollectionRoute nor a TableRoute with an index and `reads`"),
        ({"reindexes": Orders}, "add a comma after a single member"),
        ({"reindexes": (type("Wide", (Orders,), {"table": "orders*"}),)}, r"whose table contains \*"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(attributes, message):
    with pytest.raises(DeclarationError, match=message):
        Router([declared(**attributes)])


def test_a_route_whose_documents_are_reindexed_must_be_registered():
    with pytest.raises(DeclarationError) as error:
        Router([Customers()])
    assert str(error.value).endswith(
        "shop_scene:Customers reindexes shop_scene:Orders, which is not among the selected routes. Add"
        " 'shop_scene:Orders' to ROUTES. If FUNC is set, add shop_scene to it."
    )


def test_a_dispatcher_without_targets_makes_documents_and_ignores_reindex():
    found = bench(shop())
    found.dispatcher = type(found.dispatcher)(
        Router([Customers(), Orders()], targets=()),
        sinks=found.dispatcher._sinks,
        letters=found.letters,
        observer=found.observer,
        context=Context(dynamodb=shop()),
        rereads=found.dispatcher._rereads,
    )
    assert found.outcomes(customer(), order(2, pk="2")) == ["SKIPPED", "APPLIED"]
    assert found.documents == {"2": {"customer": "Ada", "lines": []}}
