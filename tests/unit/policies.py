"""The IAM policies of some routes and settings, in one account."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, ClassVar

from routes.images import Images
from service.commands.policy import Owner, policy_of
from service.routing import Names, Route, Router
from service.settings import Settings

OWNER = Owner("aws", "eu-west-1", "111122223333")
BARE = Settings(search_url="https://search.example.com")


def policy(
    *routes: Route, operator: bool = False, function: bool = False, **settings: Any
) -> list[dict[str, Any]]:
    chosen = replace(BARE, **settings)
    document = policy_of(Router(routes, Names(chosen.names)), chosen, OWNER, operator, function)
    assert document["Version"] == "2012-10-17"
    json.dumps(document)
    return document["Statement"]


def named(statements: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {statement["Sid"]: statement for statement in statements}


class Tenants(Images):
    table: ClassVar = "tenant-*"


class Twins(Images):
    table: ClassVar = "tenant_x"
    index: ClassVar = "twins"
    aliases: ClassVar = ("pictures",)
    pipelines: ClassVar = {"embed": {"processors": []}}
    search_pipelines: ClassVar = {"hybrid": {"request_processors": []}}
