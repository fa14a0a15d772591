"""Rebuilds by the next release of the sample application, whose index has another mapping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from deployments import Deployment, documents_of

from routes.images import Images, ImageUploads
from service.bootstrap.application import App
from service.commands.backfill.loading import BackfillOptions, Scan
from service.commands.rebuild import rebuild as rebuilding
from service.commands.rebuild.rebuild import RebuildOptions, Rebuilt, change
from service.commands.tables import TableFilter
from service.sinks.opensearch import search_sink

SCAN = Scan(segments=2)


class Described(Images):
    """The next release, with another mapping and one more field in each document."""

    mapping: ClassVar = {"properties": {"title": {"type": "text"}, "length": {"type": "integer"}}}

    def document(self, item: Any) -> Any:
        return {**(super().document(item) or {}), "length": len(item["title"])}


@pytest.fixture
def impatient_rebuilds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make writers re-read the aliases often, so that a rebuild does not wait for ten seconds."""
    monkeypatch.setattr(search_sink, "SEEN_FOR", 0.1)
    monkeypatch.setattr(rebuilding, "UNTIL_ALL_HAVE_SEEN", 0.5)
    monkeypatch.setattr(rebuilding, "longest_request", lambda settings: 0.0)


@pytest.fixture
def released(running: Deployment) -> Iterator[App]:
    """Yield the service of the next release, which rebuilds."""
    app = App(running.settings, [Described(), ImageUploads()])
    yield app
    app.close()


def do(app: App, advance: Any = lambda more: None, patience: float = 1.0, **what: Any) -> Rebuilt:
    (one,) = change(app, TableFilter(), RebuildOptions(**what), SCAN, BackfillOptions(), patience, advance)
    return one


def titles(deployment: Deployment, index: str = "") -> dict[str, str]:
    found = documents_of(deployment.search_url, index or deployment.index)
    return {name: document["title"] for name, document in found.items()}


def truth(deployment: Deployment) -> dict[str, str]:
    return {item["id"]: item["title"] for item in deployment.items.scan()["Items"]}
