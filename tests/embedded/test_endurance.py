"""The comparison at the end of `make endurance`: it finds every difference between the index and the table."""

from __future__ import annotations

import pytest
from deployments import Deployment, ask, aws_client

from tests.endurance.comparison import PAGE, differences

ITEMS = PAGE + 100


@pytest.fixture
def filled(deployment: Deployment) -> Deployment:
    """Return a table and its index, both larger than one page. No service syncs them."""
    with deployment.items.batch_writer() as batch:
        for number in range(ITEMS):
            batch.put_item({"id": f"i{number:04}", "title": f"T{number}", "metadata": {"n": number}})
    for number in range(ITEMS):
        put(deployment, f"i{number:04}", f"T{number}", number)
    return deployment


def put(place: Deployment, name: str, title: str, number: int) -> None:
    document = {"title": title, "metadata": {"n": number}}
    ask("PUT", f"{place.search_url}/{place.index}/_doc/{name}", document)


def compared(place: Deployment) -> list[str]:
    items, found = differences(aws_client(place.aws_url, "dynamodb"), place.table, place.search_url, place.index)
    assert items == ITEMS
    return found


@pytest.mark.long
def test_a_document_that_is_missing_one_that_is_old_and_one_too_many_are_found(filled: Deployment):
    assert compared(filled) == []
    put(filled, "i0007", "T7", 8)
    assert compared(filled) == ["i0007 is another in the index than in the table"]
    ask("DELETE", f"{filled.search_url}/{filled.index}/_doc/i0007")
    count = f"the index has {ITEMS - 1} documents, the table {ITEMS} items"
    assert compared(filled) == [count, "i0007 is missing in the index"]
    put(filled, "i0007", "T7", 7)
    put(filled, "more", "T", 0)
    assert compared(filled) == [f"the index has {ITEMS + 1} documents, the table {ITEMS} items"]
