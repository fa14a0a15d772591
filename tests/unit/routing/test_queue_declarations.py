"""Queue declarations: the records that a queue carries, and the declarations rejected at start-up."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from builders import s3_record, stream_record
from fakes import Items, Uploads, records

from service.errors import SettingsError
from service.model import ObjectRecord, TableRecord, Undecodable
from service.model.undecodable import Refused
from service.routing import Names, Router
from service.routing.queue_declarations import Queues, declared_queues
from service.settings import Settings


class Tenants(Items):
    table: ClassVar = "tenant-*"
    index: ClassVar = "tenants"


def queues(names: dict[str, str] | None = None, **settings: Any) -> Queues:
    return Queues(Settings(**settings), Router([Items(), Tenants(), Uploads()], Names(names)))


def item(table: str) -> Any:
    return stream_record(table=table, new={"id": "a"})


def accepted(queue: str, raw: Any, names: dict[str, str] | None = None, **settings: Any) -> bool:
    (record,) = records(raw)
    became = queues(names, **settings).carried(queue).judged(record)
    assert isinstance(became, TableRecord | ObjectRecord | Refused)
    return became is record


def test_a_queue_is_declared_by_its_name_and_what_it_carries():
    assert declared_queues(["uploads", "changes=table/a + table/b", "changes = bucket/c"]) == {
        "uploads": (),
        "changes": ("table/a", "table/b", "bucket/c"),
    }


@pytest.mark.parametrize("entry", ["q=", "q=tasks", "q=tables/a", "q=table/", "q=table/a+", "q=index/a"])
def test_a_declaration_of_something_else_is_refused(entry: str):
    with pytest.raises(SettingsError, match=r"must have the form QUEUE, QUEUE=bucket/NAME.*task_queue"):
        queues(read_queue=(entry,))


def test_the_task_queue_carries_nothing_else():
    with pytest.raises(SettingsError, match=r"tasks.*carries only backfill tasks\. Use two queues"):
        queues(read_queue=("tasks=table/images",), task_queue="tasks")
    found = queues(read_queue=("uploads", "tasks"), task_queue="tasks")
    assert found.read == ["uploads", "tasks"]
    assert not accepted("tasks", s3_record("k"), read_queue=("uploads", "tasks"), task_queue="tasks")


def test_an_undeclared_queue_carries_what_the_buckets_of_routes_send():
    for settings in ({}, {"read_queue": ("uploads",)}):
        assert accepted("uploads", s3_record("k"), **settings)
        assert not accepted("uploads", s3_record("k", bucket="elsewhere"), **settings)
        assert not accepted("uploads", item("images"), **settings)


@pytest.mark.parametrize(
    ("declared", "table", "fits"),
    [
        ("table/images", "images", True),
        ("table/images", "images-2", False),
        ("table/tenant-*", "tenant-7", True),
        ("table/tenant-*", "images", False),
        ("table/*", "anything", True),
        ("bucket/images", "images", False),
        ("bucket/images-in+table/images", "images", True),
    ],
)
def test_what_is_declared_fits_by_name_or_pattern(declared: str, table: str, fits: bool):
    assert accepted("changes", item(table), read_queue=(f"changes={declared}",)) is fits


@pytest.mark.parametrize("name", ["images", "images-lab"])
def test_names_are_those_of_routes_or_those_that_exist(name: str):
    names = {"table/images": "images-lab", "queue/changes": "lab-changes", "queue/tasks": "lab-tasks"}
    settings = {"read_queue": (f"changes=table/{name}",), "task_queue": "tasks"}
    assert accepted("lab-changes", item("images-lab"), names, **settings)
    assert not accepted("lab-changes", item("images"), names, **settings)
    assert queues(names, **settings).read == ["lab-changes", "lab-tasks"]
    assert queues(names, **settings).tasks == "lab-tasks"


def test_a_queue_for_routes_without_buckets_says_that_it_carries_nothing():
    (record,) = records(item("images"))
    became = Queues(Settings(), Router([Items()])).carried("q").judged(record)
    assert isinstance(became, Refused)
    assert "queue q carries nothing (no route of this process has a bucket)" in became.reason


def test_a_long_name_is_cut_where_it_is_shown():
    (record,) = records(item("t" * 5000))
    became = queues().carried("q").judged(record)
    assert isinstance(became, Refused)
    assert len(became.reason) < 600


def test_what_cannot_be_read_stays_so():
    (record,) = records({"nothing": "known"})
    assert isinstance(record, Undecodable)
    assert queues().carried("q").judged(record) is record
