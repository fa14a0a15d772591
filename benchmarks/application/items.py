"""The only route, which indexes items unchanged."""

from __future__ import annotations

from typing import ClassVar

from service import Document, Item, TableRoute

from ..work import TABLE


class Items(TableRoute):
    """Items of the table, searchable in the index `bench`."""

    table: ClassVar = TABLE
    key: ClassVar = {"id": "S"}
    index: ClassVar = "bench"

    def document(self, item: Item) -> Document | None:
        return item
