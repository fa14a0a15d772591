"""A search server with one index that the tests declare, compare and change.

tests/real runs the same tests on the real servers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from deployments import ask
from opensearchpy.exceptions import TransportError

from service.commands.indices.applying import Applied, apply
from service.commands.indices.planning import Plan, plan
from service.context import Context
from service.routing import IndexDeclaration
from service.settings import Settings
from service.sinks.opensearch.index_creation import create

_numbers = itertools.count()

ANALYSIS = {
    "analysis.analyzer.mine.type": "standard",
    "analysis.analyzer.mine.max_token_length": 9,
    "analysis.analyzer.other.type": "standard",
    "analysis.analyzer.other.max_token_length": 5,
}
BASES: dict[str, dict[str, Any]] = {
    "alias": {"path": "p"},
    "join": {"relations": {"a": "b"}},
    "scaled_float": {"scaling_factor": 100},
    "token_count": {"analyzer": "standard"},
}
"""Parameters that a type requires."""

REST = {"p": {"type": "keyword"}, "q": {"type": "keyword"}}
"""Fields that other fields refer to."""


class Server:
    """A search server with one index that the tests declare and change."""

    def __init__(self, url: str, **settings: Any):
        self.url = url
        self.name = f"code-{next(_numbers)}"
        self.context = Context(Settings(search_url=url, **settings))

    def declared(
        self, properties: Any = None, settings: Any = None, aliases: Any = (), pipelines: Any = (), **root: Any
    ) -> Any:
        mapping = root if properties is None else {**root, "properties": properties}
        return IndexDeclaration(self.name, mapping, settings or {}, tuple(aliases), tuple(pipelines))

    def plan(self, *declared: Any, **more: Any) -> Plan:
        return plan(self.context, self.declared(*declared, **more))

    def apply(self, *declared: Any, **more: Any) -> Applied:
        return apply(self.context, self.plan(*declared, **more))

    def make(self, index: str, **body: Any) -> None:
        ask("PUT", f"{self.url}/{index}", body)

    def fields(self, index: str = "") -> Any:
        (found,) = ask("GET", f"{self.url}/{index or self.name}/_mapping").values()
        return found["mappings"].get("properties", {})

    def setting(self, name: str, index: str = "") -> Any:
        (found,) = ask("GET", f"{self.url}/{index or self.name}/_settings?flat_settings=true").values()
        return found["settings"].get(f"index.{name}")

    def aliases(self, index: str = "") -> Any:
        (found,) = ask("GET", f"{self.url}/{index or self.name}/_alias").values()
        return found["aliases"]

    def _said(self, index: str, properties: Any) -> str:
        """Return the server's error for a put of these fields, or "" if it accepts them."""
        try:
            self.context.search.indices.put_mapping(index=index, body={"properties": properties})
        except TransportError as error:
            return str(error)
        return ""

    def takes(self, properties: Any) -> bool:
        """True if the server accepts a put of these fields."""
        said = self._said(self.name, properties)
        assert not said or re.search("Cannot update|can't be updated", said), said
        return not said

    def has(self, kinds: Iterable[str]) -> set[str]:
        """Return those of the types that the server has."""
        probe = f"{self.name}-probe"
        self.make(probe, mappings={"properties": REST})
        said = {kind: self._said(probe, {f"f{kind}": basic(kind)}) for kind in kinds}
        assert all("No handler for type" in words for words in said.values() if words), said
        return {kind for kind, words in said.items() if not words}


@pytest.fixture
def server(search_url: str) -> Iterator[Server]:
    made = Server(search_url)
    yield made
    for index in ask("GET", f"{search_url}/{made.name}*/_alias") or {}:
        ask("DELETE", f"{search_url}/{index}")
    for name in (made.name, f"{made.name}-more"):
        ask("DELETE", f"{search_url}/_index_template/streamdex-{name}")
    made.context.close()


def basic(kind: str, **parameters: Any) -> dict[str, Any]:
    """Return a field of a type with its required parameters and these."""
    return {"type": kind, **BASES.get(kind, {}), **{n: v for n, v in parameters.items() if v is not None}}


def told(planned: Plan) -> list[tuple[str, str, str]]:
    return [(one.path, one.parameter, one.cure.value) for one in (*planned.to_put, *planned.to_rebuild)]


def behind(server: Server, number: int, alias: str = "", **options: Any) -> str:
    """Create an index behind the server's alias, or behind another alias. Return its name."""
    index = f"{server.name}-{number:06d}"
    create(server.context, server.declared({"a": {"type": "keyword"}}), index)
    actions = [{"add": {"index": index, "alias": alias or server.name, **options}}]
    ask("POST", f"{server.url}/_aliases", {"actions": actions})
    return index
