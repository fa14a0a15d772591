"""Tables that routes subscribe to: those that they name, and those that match a pattern and have a stream."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from fakes import Items, Uploads

from service.context import Context
from service.routing import Names, Router
from service.settings import Settings
from service.sources.route_tables import tables_of


class Tenants(Items):
    table: ClassVar = "tenant-*"
    index: ClassVar = "tenants"


class Tables:
    """A DynamoDB client that lists tables on two pages."""

    def __init__(self, **streams: Any):
        self.streams = {name.replace("_", "-"): enabled for name, enabled in streams.items()}

    def get_paginator(self, name: str) -> Any:
        assert name == "list_tables"
        return self

    def paginate(self) -> Any:
        names = [*self.streams]
        return [{"TableNames": names[:1]}, {"TableNames": names[1:]}]

    def describe_table(self, TableName: str) -> Any:
        enabled = self.streams[TableName]
        return {
            "Table": {} if enabled is None else {"Table": {}, "StreamSpecification": {"StreamEnabled": enabled}}
        }


def found(names: dict[str, str], *routes: Any, **streams: Any) -> list[str]:
    bound = Router(routes, Names(names)).bound
    return tables_of(bound, Names(names), Context(Settings(), dynamodb=Tables(**streams)))


def test_the_tables_of_a_pattern_are_those_with_a_stream(caplog):
    streams = {"other": True, "tenant_b": True, "tenant_off": False, "tenant_none": None, "tenant_a": True}
    assert found({}, Tenants(), Uploads(), **streams) == ["tenant-a", "tenant-b"]
    assert [record.table for record in caplog.records] == ["tenant-off", "tenant-none"]


@pytest.mark.parametrize(("names", "table"), [({}, "images"), ({"table/images": "images-lab"}, "images-lab")])
def test_a_table_with_a_plain_name_is_read_without_a_list(names, table):
    assert found(names, Items(), tenant_a=True) == [table]


def test_a_pattern_matches_the_logical_names_of_tables():
    assert found({"table/tenant-a": "lab-a"}, Tenants(), lab_a=True, tenant_a=True) == ["lab-a"]
