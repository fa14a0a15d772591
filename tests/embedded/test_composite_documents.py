"""Documents of several items on servers: streams, backfill, verify, repair and rebuild."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deployments import ask, eventually
from shop import Shop

from service.commands.backfill.loading import BackfillOptions, Scan, backfill
from service.commands.rebuild.rebuild import RebuildOptions, change
from service.commands.tables import TableFilter, chosen
from service.commands.verify import Verification, VerifyOptions

ALL, SCAN = TableFilter(), Scan(segments=2)


@pytest.fixture
def shop(aws_url: str, streams_url: str, search_url: str, tmp_path: Path) -> Iterator[Shop]:
    settings = (
        {}
        if streams_url == aws_url
        else {"aws_endpoint_url_dynamodb": streams_url, "aws_endpoint_url_dynamodb_streams": streams_url}
    )
    made = Shop(aws_url, search_url, tmp_path, **settings)
    yield made
    made.app.close()


def verified(shop: Shop, repair: bool = False) -> Any:
    found: list[tuple[str, str, str]] = []
    options = VerifyOptions(repair=repair)
    run = Verification(
        shop.app, SCAN, options, 0.3, lambda fault, end: found.append((fault.kind.value, fault.location.id, end))
    )
    run.run(chosen(shop.app, ALL))
    return sorted(found)


def test_a_renamed_customer_arrives_in_all_orders(shop: Shop) -> None:
    with shop.running():
        shop.put_customer("a", "Ada")
        for number in range(5):
            shop.put_order(f"o{number}", "a", lines=2)
        eventually(shop.documents, {f"o{number}": {"customer": "Ada", "lines": [0, 1]} for number in range(5)})
        shop.put_customer("a", "Ada L.")
        eventually(lambda: {document["customer"] for document in shop.documents().values()}, {"Ada L."})
        shop.orders.delete_item(Key={"PK": "o1", "SK": "HEAD"})
        eventually(lambda: sorted(shop.documents()), ["o0", "o2", "o3", "o4"])
    assert verified(shop) == []


def test_the_index_equals_the_tables_after_many_changes(shop: Shop) -> None:
    shop.put_order("o1", "c1")
    backfill(shop.app, ALL, SCAN, BackfillOptions(), lambda more: None)
    with shop.running():
        with shop.changing(pause=0.002):
            eventually(lambda: len(shop.documents()) > 2, True)
            backfill(shop.app, ALL, SCAN, BackfillOptions(), lambda more: None)
        eventually(lambda: shop.documents() == shop.expected(), True)
    assert verified(shop) == []


def test_a_backfill_makes_every_document_and_verify_finds_and_repairs_what_is_wrong(shop: Shop) -> None:
    shop.put_customer("a", "Ada")
    for number in range(4):
        shop.put_order(f"o{number}", "a", lines=3)
    backfill(shop.app, ALL, SCAN, BackfillOptions(), lambda more: None)
    assert shop.documents() == shop.expected()
    assert verified(shop) == []
    shop.put_customer("a", "Ada L.")  # no process follows the stream
    ask("DELETE", f"{shop.search_url}/{shop.index}/_doc/o1?refresh=true")
    shop.orders.delete_item(Key={"PK": "o2", "SK": "HEAD"})
    assert verified(shop) == [
        ("missing", "o1", ""),
        ("orphan", "o2", ""),
        ("stale", "o0", ""),
        ("stale", "o3", ""),
    ]
    assert {end for _, _, end in verified(shop, repair=True)} == {"repaired"}
    assert shop.documents() == shop.expected()
    assert verified(shop) == []


def test_a_rebuilt_index_equals_the_tables(shop: Shop) -> None:
    shop.put_customer("a", "Ada")
    shop.put_order("o1", "a", lines=3)
    backfill(shop.app, ALL, SCAN, BackfillOptions(), lambda more: None)
    with shop.running(), shop.changing(pause=0.01):
        (rebuilt,) = change(
            shop.app, ALL, RebuildOptions(rebuild=True), SCAN, BackfillOptions(), 0.3, lambda more: None
        )
    assert rebuilt.index == shop.index
    with shop.running():
        eventually(lambda: shop.documents() == shop.expected(), True)
    assert verified(shop) == []
