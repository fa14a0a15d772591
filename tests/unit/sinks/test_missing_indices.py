"""The detection of missing indices, which start empty."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from service.context import Context
from service.errors import Retry
from service.routing import IndexDeclaration
from service.settings import Settings
from service.sinks.opensearch import SearchSink
from service.sinks.opensearch.alias_targets import Target
from service.sinks.opensearch.missing_indices import Absences
from service.sinks.opensearch.search_sink import SEEN_FOR

MISSING, THERE = Target("a", ""), Target("a", "a-000001")


@pytest.mark.parametrize(
    ("seen", "times"),
    [
        ([THERE, THERE], 0),
        ([MISSING], 1),
        ([MISSING, MISSING, MISSING], 1),
        ([MISSING, THERE, THERE], 1),
        ([THERE, MISSING, MISSING, THERE, MISSING], 2),
    ],
)
def test_an_index_that_stays_missing_counts_once(seen, times):
    absences = Absences()
    for target in seen:
        absences.note({"a": target})
        absences.note({"b": THERE})
    assert absences.times(["a", "b"]) == {"a": times, "b": 0}


class Server:
    """A search server. `existing` maps index names to indices."""

    def __init__(self) -> None:
        self.existing: dict[str, Any] = {}
        self.down = False
        self.indices = SimpleNamespace(get_alias=self.get_alias, create=self.create)

    def get_alias(self, index: str) -> Any:
        if self.down:
            raise ConnectionError("refused")
        return self.existing

    def create(self, index: str, body: Any) -> None:
        self.existing = {**self.existing, index: {"aliases": body["aliases"]}}


@pytest.mark.parametrize("creates", [True, False])
def test_the_sink_creates_what_is_missing_and_counts_it_each_time(creates):
    server, clock = Server(), [0.0]
    context = Context(Settings(create_indices=creates), search=server)
    sink = SearchSink(context, {"a": IndexDeclaration("a")}, clock=lambda: clock[0])
    assert sink.absences(["a"]) == {"a": 1}
    assert bool(server.existing) == creates
    server.create("a-000001", {"aliases": {"a": {}}})
    clock[0] += SEEN_FOR + 1
    assert sink.absences(["a"]) == {"a": 1}
    server.existing = {}  # the operator deletes the index
    clock[0] += SEEN_FOR + 1
    assert sink.absences(["a"]) == {"a": 2}


def test_a_server_that_does_not_answer_is_asked_again():
    server = Server()
    server.down = True
    sink = SearchSink(Context(Settings(), search=server), {})
    with pytest.raises(Retry):
        sink.absences(["a"])
