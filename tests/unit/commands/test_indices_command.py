"""The remedy that `indices` prints for an index that cannot be changed in place."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from fakes import Items

from service import BucketRoute, Index
from service.commands.indices.command import remedy_of
from service.commands.indices.differences import Cure, Difference
from service.commands.indices.planning import Plan
from service.commands.indices.server import Existing
from service.routing import Router
from service.sinks.opensearch.alias_targets import Target


class Objects(BucketRoute):
    bucket: ClassVar = "objects"
    index: ClassVar = "items"

    def created(self, upload: Any, context: Any) -> Any:
        return [Index({})]


@pytest.mark.parametrize(
    ("route", "live", "remedy"),
    [
        (Items(), "items-000001", "python -m service backfill --route=fakes:Items --rebuild"),
        (Items(), "items", "python -m service backfill --route=fakes:Items --rebuild --replace-index"),
        (Objects(), "items-000001", "python -m service indices apply --index=items --recreate"),
    ],
)
def test_the_command_that_builds_an_index_anew_is_one_that_can(route, live, remedy):
    router = Router([route])
    app: Any = SimpleNamespace(router=router)
    existing = Existing(Target("items", live), {}, {}, {}, {})
    differs = Difference("field", "a", "keyword", "text", Cure.REBUILD, "type")
    assert remedy_of(app, Plan(router.indices["items"], existing, (differs,), None)) == remedy
    assert remedy_of(app, Plan(router.indices["items"], existing, (), None)) == ""
    assert remedy_of(app, Plan(router.indices["items"], None, (), None)) == ""
