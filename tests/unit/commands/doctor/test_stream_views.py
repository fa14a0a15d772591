"""Findings about images that the methods of routes read and streams do not hold, and about patterns of tables."""

from __future__ import annotations

from typing import ClassVar

import pytest
from planted import Clinic
from planted_aws import make_table, spoil_table

from service.commands.doctor import WARNING
from service.context import Context
from service.model import Item, TableRecord
from service.routing import Action, Delete, Document, Index, TableRoute


class Reading(TableRoute):
    """A route whose methods read images."""

    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "images"

    def document(self, item: Item) -> Document:
        return {}

    def modify(self, record: TableRecord, context: Context) -> list[Action]:
        return [Index({"then": record.old, "now": record.new})]

    def remove(self, record: TableRecord, context: Context) -> list[Action]:
        return [Delete() for _ in range(1) if record.old is not None]


class Blind(Reading):
    """A route whose methods read no images."""

    def modify(self, record: TableRecord, context: Context) -> list[Action]:
        return [Index({"id": record.keys["id"]})]

    def remove(self, record: TableRecord, context: Context) -> list[Action]:
        return [Delete()]


class Skipping(TableRoute):
    """A route that compares both images."""

    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "images"
    skip_unchanged: ClassVar = True

    def document(self, item: Item) -> Document:
        return {}


class Chunks(TableRoute):
    """A route that compares both images to find what it has to delete."""

    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "images"

    def documents_of(self, item: Item) -> dict[str, Document]:
        return {}


MISSED = "error: documents that test_stream_views:Chunks has to delete may be missed"
UNSKIPPED = "warning: skip_unchanged of test_stream_views:Skipping needs both images"


@pytest.mark.parametrize(
    ("route", "view", "said"),
    [
        (Chunks(), "NEW_AND_OLD_IMAGES", []),
        (Chunks(), "NEW_IMAGE", [MISSED]),
        (Skipping(), "NEW_AND_OLD_IMAGES", []),
        (Skipping(), "NEW_IMAGE", [UNSKIPPED]),
        (Skipping(), "KEYS_ONLY", ["warning: reads each item", UNSKIPPED]),
        (Reading(), "NEW_IMAGE", ["warning: record.old is None in modify() and remove()"]),
        (Reading(), "OLD_IMAGE", ["warning: reads each item", "error: record.new is None in modify()"]),
        (Blind(), "NEW_IMAGE", []),
        (Blind(), "OLD_IMAGE", ["warning: reads each item"]),
    ],
)
def test_what_methods_read_is_held_against_what_the_stream_holds(clinic: Clinic, route, view, said):
    clinic.serve(route)
    spoil_table(view)(clinic)
    found = [f"{f.severity}: {f.problem}" for f in clinic.findings() if f.topic == "view"]
    assert len(found) == len(said)
    for words, problem in zip(said, found, strict=True):
        severity, _, middle = words.partition(": ")
        assert problem.startswith(severity)
        assert middle in problem


class Fetched(Reading):
    fetch: ClassVar = True

    def remove(self, record: TableRecord, context: Context) -> list[Action]:
        return [Delete()]

    def modify(self, record: TableRecord, context: Context) -> list[Action]:
        return [Index({"now": record.new})]


def test_a_route_that_fetches_needs_no_images(clinic: Clinic):
    clinic.serve(Fetched())
    spoil_table("KEYS_ONLY")(clinic)
    assert clinic.findings() == []


class Tenants(Blind):
    table: ClassVar = "tenant-*"


def test_tables_that_a_pattern_finds_are_looked_at_unless_the_service_leaves_them_out(clinic: Clinic):
    clinic.serve(Tenants())
    (nothing,) = clinic.findings()
    assert (nothing.topic, nothing.subject, nothing.severity) == ("table", "tables tenant-*", WARNING)
    make_table(clinic, "tenant-a", {"id": "N"}, "NEW_IMAGE")
    make_table(clinic, "tenant-b", {"id": "S"}, "")
    (key,) = clinic.findings()
    assert (key.topic, key.subject) == ("key", "table tenant-a")
