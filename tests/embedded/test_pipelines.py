"""Routes with an ingest pipeline: their documents are written, verified, repaired and rebuilt through it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from deployments import Deployment, Running, ask, documents_of, drop, eventually, fill
from index_server import Server
from rebuilds import do
from test_table_operations import action, compared, load, write

from routes.images import Images
from service import Document, Item
from service.bootstrap.application import App
from service.commands.indices.applying import apply
from service.commands.indices.checking import check
from service.commands.indices.command import what_was_seen
from service.commands.indices.planning import plan
from service.errors import DeclarationError, Halt, SettingsError
from service.routing import PipelineDeclaration
from service.routing.pipeline_declarations import INGEST, SEARCH

pytestmark = pytest.mark.usefixtures("impatient_rebuilds")

_numbers = itertools.count()

LOWERCASE = {"lowercase": {"field": "title", "target_field": "embedding.vector"}}
SET = {"set": {"field": "embedding.vector", "value": [0.5, 0.25]}}
"""Processors that stand for an embedding model."""


class Embedded(Images):
    """Images whose documents get a field from a pipeline."""

    mapping: ClassVar = {"properties": {"title": {"type": "text"}, "embedding": {"type": "object"}}}
    pipeline: ClassVar = "embed"
    computed: ClassVar = ("embedding.vector",)

    def document(self, item: Item) -> Document:
        return {"title": item["title"]}


class Uncomputed(Embedded):
    computed: ClassVar = ()


class Competing(Embedded):
    def document(self, item: Item) -> Document:
        return {"title": item["title"], "embedding": {"vector": []}}


@pytest.fixture
def search_url(pipelines_url: str) -> str:
    return pipelines_url


class Place:
    """The sample application with a route that has a pipeline."""

    def __init__(self, deployment: Deployment):
        self.deployment = deployment
        self.name = f"embed-{next(_numbers)}"
        self.url = f"{deployment.search_url}/_ingest/pipeline/{self.name}"
        self.body: Any = {"processors": [LOWERCASE]}
        self.settings = replace(
            deployment.settings,
            names={**deployment.settings.names, "pipeline/embed": self.name},
            read_queue=(),
        )
        self.apps: list[App] = []
        drop(deployment.search_url, deployment.index)  # it has the mapping of another route

    def app(self, route: type[Images] = Embedded, body: Any = None, **settings: Any) -> App:
        """Return the service with a route that declares the pipeline."""
        declared = {"pipelines": {"embed": body or self.body}} if route.pipeline else {}
        made = App(replace(self.settings, **settings), [type(route.__name__, (route,), declared)()])
        self.apps.append(made)
        return made

    def documents(self, index: str = "") -> dict[str, Any]:
        return documents_of(self.deployment.search_url, index or self.deployment.index)

    def apply(self, app: App) -> Any:
        return apply(app.context, plan(app.context, app.router.indices[self.deployment.index]))


@pytest.fixture
def place(deployment: Deployment) -> Iterator[Place]:
    made = Place(deployment)
    yield made
    for app in made.apps:
        app.close()
    ask("DELETE", made.url)


@pytest.mark.parametrize("processor", [LOWERCASE, SET])
def test_documents_are_written_verified_repaired_and_rebuilt_through_their_pipeline(
    place: Place, processor: Any
) -> None:
    place.body = {"processors": [processor]}
    app, deployment = place.app(), place.deployment
    assert place.apply(app).done
    running = Running(app)
    try:
        fill(deployment, 5)
        eventually(lambda: len(place.documents()), 5)
        before = place.documents()
        assert all(document["embedding"]["vector"] for document in before.values())
        found, told = compared(app)
        assert (found.items, found.documents, told) == (5, 5, [])
        damage(deployment, "i0000", {"title": "as it was once", "embedding": {"vector": []}})
        assert [(one.location.id, [field.path for field in one.fields]) for one, _ in compared(app)[1]] == [
            ("i0000", ["title"])
        ]
        found, told = compared(app, repair=True, patience=0.1)
        assert [became for _, became in told] == ["repaired"]
        assert place.documents() == before
        rebuilt = do(app, rebuild=True)
        assert rebuilt.words == f"{deployment.index}-000002 has replaced {deployment.index}-000001"
        assert place.documents(f"{deployment.index}-000002") == before
        assert compared(app)[1] == []
    finally:
        running.stop()


def damage(deployment: Deployment, name: str, document: Any) -> None:
    """Replace a document at its own version, without the pipeline."""
    version = ask("GET", f"{deployment.search_url}/{deployment.index}/_doc/{name}")["_version"]
    write(deployment, action(deployment, "index", name, version), document)


def test_without_computed_fields_each_document_differs_and_no_rebuild_ends(place: Place) -> None:
    app = place.app(Uncomputed)
    fill(place.deployment, 3)
    load(app)
    assert [[field.path for field in one.fields] for one, _ in compared(app)[1]] == [["embedding"]] * 3
    assert "has not replaced the old index, because it differs from the table: 3" in do(app, rebuild=True).words


def test_a_route_that_returns_a_computed_field_itself_cannot_be_verified(place: Place) -> None:
    app = place.app(Competing)
    fill(place.deployment, 1)
    load(app)
    with pytest.raises(
        DeclarationError, match=r"returns the field embedding\.vector in its document, but declares"
    ):
        compared(app)


def test_a_missing_pipeline_halts_and_writes_go_on_once_it_is_applied(place: Place) -> None:
    app, deployment = place.app(), place.deployment
    fill(deployment, 3)
    load(app)
    ask("DELETE", place.url)
    with pytest.raises(Halt, match=rf"{place.name} does not exist: .*`python -m service indices apply`"):
        load(app)
    applied = place.apply(app)
    assert [one.words for one in applied.made] == [f"ingest pipeline {place.name}: missing"]
    assert applied.done
    load(app)
    assert all(document["embedding"]["vector"] for document in place.documents().values())


def test_a_start_creates_missing_pipelines_and_keeps_existing_ones(place: Place) -> None:
    fill(place.deployment, 1)
    load(place.app())
    assert ask("GET", place.url) == {place.name: place.body}
    ask("DELETE", place.url)
    load(place.app())  # the index exists by now
    assert ask("GET", place.url) == {place.name: place.body}
    load(place.app(body={**place.body, "description": "the next release"}))
    assert ask("GET", place.url) == {place.name: place.body}


def test_a_service_that_may_create_nothing_creates_no_pipeline(place: Place) -> None:
    app = place.app(create_indices=False)
    fill(place.deployment, 1)
    place.apply(place.app(Images))
    with pytest.raises(Halt, match=f"the ingest pipeline {place.name} does not exist"):
        load(app)
    assert ask("GET", place.url) is None


def test_a_pipeline_that_the_server_refuses_halts_before_the_index_exists(place: Place) -> None:
    app = place.app(body={"processors": [{"nope": {}}]})
    fill(place.deployment, 1)
    with pytest.raises(Halt, match=r"a pipeline of index .* cannot be created: .*No processor type exists"):
        load(app)
    assert ask("GET", f"{place.deployment.search_url}/{place.deployment.index}") is None


def test_a_changed_pipeline_is_planned_checked_and_applied_and_no_rebuild_uses_the_old_one(place: Place) -> None:
    fill(place.deployment, 2)
    load(place.app())
    label = {"set": {"field": "embedding.vector", "value": [9]}}
    app = place.app(body={"processors": [label]})
    declared = app.router.indices[place.deployment.index]
    planned = plan(app.context, declared)
    words = f"ingest pipeline {place.name}: differs in processors"
    assert ([one.words for one in planned.pipelines], planned.state, planned.done) == ([words], "equal", False)
    checked = check(app.context, app.router, declared, [place.deployment.table], 10, lambda more: None)
    assert (checked.items, checked.pipelines) == (0, [words])
    assert what_was_seen(checked).splitlines()[-1].endswith(f"indices apply --index={place.deployment.index}")
    with pytest.raises(SettingsError, match=f"cannot be rebuilt, because a pipeline is not as declared: {words}"):
        do(app, rebuild=True)
    assert place.apply(app).done
    assert (
        check(app.context, app.router, declared, [place.deployment.table], 10, lambda more: None).conflicts == []
    )
    assert do(app, rebuild=True).done
    assert {json.dumps(document["embedding"]) for document in place.documents().values()} == {'{"vector": [9]}'}


def test_a_rebuild_creates_a_missing_pipeline(place: Place) -> None:
    fill(place.deployment, 1)
    load(place.app())
    ask("DELETE", place.url)
    assert do(place.app(create_indices=False), rebuild=True).done
    assert ask("GET", place.url) == {place.name: place.body}


def test_a_document_that_its_pipeline_refuses_becomes_a_dead_letter_and_others_are_written(place: Place) -> None:
    app = place.app(body={"processors": [{"remove": {"field": "secret"}}]})
    fill(place.deployment, 2)
    assert load(app) == {"rejected": 2}
    assert ["field [secret] doesn't exist" in letter["reason"] for letter in place.deployment.rejected()] == [
        True
    ] * 2


def test_search_pipelines_are_created_compared_and_changed(server: Server) -> None:
    def declared(value: str) -> PipelineDeclaration:
        processors = [{"filter_query": {"query": {"term": {"visible": {"value": value}}}}}]
        return PipelineDeclaration(SEARCH, f"visible-{server.name}", {"request_processors": processors})

    url = f"{server.url}{declared('yes').path}"
    try:
        assert server.apply({}, pipelines=[declared("yes")]).done
        assert ask("GET", url) == {f"visible-{server.name}": declared("yes").body}
        assert server.plan({}, pipelines=[declared("yes")]).pipelines == ()
        (difference,) = server.plan({}, pipelines=[declared("no")]).pipelines
        assert difference.words == f"search pipeline visible-{server.name}: differs in request_processors"
        assert server.apply({}, pipelines=[declared("no")]).done
        assert ask("GET", url) == {f"visible-{server.name}": declared("no").body}
    finally:
        ask("DELETE", url)


def test_a_pipeline_is_put_even_if_its_index_needs_a_rebuild_and_a_refused_one_leaves_the_index(
    server: Server,
) -> None:
    pipeline = PipelineDeclaration(INGEST, f"set-{server.name}", {"processors": [SET]})
    try:
        server.apply({"a": {"type": "keyword"}})
        applied = server.apply({"a": {"type": "text"}}, pipelines=[pipeline])
        assert ([one.kind for one in applied.made], applied.done) == (["ingest pipeline"], False)
        assert ask("GET", f"{server.url}{pipeline.path}") == {pipeline.name: pipeline.body}
    finally:
        ask("DELETE", f"{server.url}{pipeline.path}")
    wrong = replace(pipeline, body={"processors": [{"nope": {}}]})
    applied = server.apply({"a": {"type": "keyword"}, "b": {"type": "keyword"}}, pipelines=[wrong])
    assert applied.refused == "No processor type exists with name [nope]"
    assert server.fields() == {"a": {"type": "keyword"}}
