"""Several documents of one item: from the stream to the index, and the commands on them.

tests/real runs the same tests on the real servers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from builders import stream_record
from deployments import Deployment, Running, ask, aws_client, documents_of, eventually
from fakes import records

from infra.shim.provision import provision
from service import Document, Item, TableRoute
from service.bootstrap.application import App
from service.commands.backfill.loading import BackfillOptions, Scan, backfill
from service.commands.indices.planning import plan
from service.commands.rebuild.rebuild import RebuildOptions, change
from service.commands.tables import TableFilter, chosen
from service.commands.verify import Verification, Verified, VerifyOptions
from service.model.versions import stream_version
from service.pipeline import Delivery, Report

SCAN = Scan(segments=2)


class Chunks(TableRoute):
    """The chunks of an article, in a document each."""

    table: ClassVar = "articles"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "chunks"
    mapping: ClassVar = {"dynamic": False, "properties": {"text": {"type": "text"}}}

    def documents_of(self, item: Item) -> Mapping[str, Document]:
        return {str(number): {"text": text} for number, text in enumerate(item["chunks"])}


class Shelf:
    """A table of articles, and the service that indexes their chunks."""

    def __init__(self, deployment: Deployment):
        number = deployment.table.removeprefix("images-")
        self.table, self.index, self.search_url = f"articles-{number}", f"chunks-{number}", deployment.search_url
        names = {"table/articles": self.table, "index/chunks": self.index}
        self.app = App(replace(deployment.settings, names=names, read_queue=()), [Chunks()])
        provision(self.app)
        url = self.app.settings.aws_endpoint_url_dynamodb or deployment.aws_url
        self.items = aws_client(url, "dynamodb", "resource").Table(self.table)

    def put(self, name: str, *chunks: str) -> None:
        self.items.put_item(Item={"id": name, "chunks": list(chunks)})

    def texts(self) -> dict[str, str]:
        return {name: document["text"] for name, document in documents_of(self.search_url, self.index).items()}

    def load(self) -> None:
        backfill(self.app, TableFilter(), SCAN, BackfillOptions(), lambda more: None)

    def compared(self, **options: Any) -> tuple[Verified, set[tuple[str, str, str]]]:
        told: set[tuple[str, str, str]] = set()
        found = Verification(
            self.app,
            SCAN,
            VerifyOptions(**options),
            0.3,
            lambda finding, became: told.add((finding.kind.value, finding.location.id, became)),
        ).run(chosen(self.app, TableFilter()))
        return found, told

    def dispatch(self, event: str, **images: Any) -> Report:
        """Deliver a record of the article `a`, as a stream with these images does."""
        raw = stream_record(event, table=self.table, keys={"id": "a"}, created=time.time(), **images)
        return self.app.dispatcher.run(Delivery(records(raw)))

    def plant(self, name: str, version: int, **document: Any) -> None:
        place = f"{self.index}/_doc/{name.replace('/', '%2F')}"
        options = f"version={version}&version_type=external_gte&refresh=true"
        ask("PUT", f"{self.search_url}/{place}?{options}", document)


@pytest.fixture
def shelf(deployment: Deployment) -> Iterator[Shelf]:
    made = Shelf(deployment)
    yield made
    made.app.close()


def test_a_chunk_that_an_article_no_longer_has_is_deleted(shelf: Shelf) -> None:
    workers = Running(shelf.app)
    try:
        shelf.put("a", "one", "two", "three")
        shelf.put("b|~", "alone")
        eventually(shelf.texts, {"a~/0": "one", "a~/1": "two", "a~/2": "three", "b~|~~~/0": "alone"})
        shelf.put("a", "one", "2")
        shelf.items.delete_item(Key={"id": "b|~"})
        eventually(shelf.texts, {"a~/0": "one", "a~/1": "2"})
    finally:
        workers.stop()
    found, told = shelf.compared()
    assert (found.items, found.documents, told, found.unverifiable) == (1, 2, set(), {})
    documents = documents_of(shelf.search_url, shelf.index)
    assert {document["streamdex_parent"] for document in documents.values()} == {"a"}


def test_verify_finds_each_chunk_that_is_missing_stale_or_an_orphan_and_repairs_it(shelf: Shelf) -> None:
    shelf.put("a", "one", "two", "three")
    shelf.put("b", "alone")
    shelf.load()
    assert shelf.compared()[1] == set()
    version = stream_version(time.time() - 60, None)
    ask("DELETE", f"{shelf.search_url}/{shelf.index}/_doc/a~%2F0?refresh=true")
    shelf.plant("a~/1", version, text="2", streamdex_parent="a")
    shelf.plant("a~/9", version, text="nine", streamdex_parent="a")  # of an article that exists
    shelf.plant("c~/0", version, text="gone", streamdex_parent="c")  # of one that does not
    shelf.plant("wrong", version, text="of no article")
    wanted = {
        ("missing", "a~/0"),
        ("ahead", "a~/1"),
        ("orphan", "a~/9"),
        ("orphan", "c~/0"),
        ("orphan", "wrong"),
    }
    assert {told[:2] for told in shelf.compared()[1]} == wanted
    _, told = shelf.compared(repair=True)
    # The repair of an article deletes its orphans, before the documents without an article are searched.
    assert told == {(*one, "repaired") for one in wanted - {("orphan", "a~/9")}}
    assert shelf.texts() == {"a~/0": "one", "a~/1": "two", "a~/2": "three", "b~/0": "alone"}
    assert shelf.compared()[1] == set()


def test_without_old_images_the_chunks_to_delete_are_found_in_the_index(shelf: Shelf) -> None:
    shelf.put("a", "one")
    before = {"new": {"id": "a", "chunks": ["one", "two", "three"]}}
    assert shelf.dispatch("INSERT", sequence=f"1{0:020d}", **before).counts() == {"applied": 1}
    after = {"new": {"id": "a", "chunks": ["one"]}}
    assert shelf.dispatch("MODIFY", sequence=f"2{0:020d}", **after).counts() == {"applied": 1}
    assert shelf.texts() == {"a~/0": "one"}
    shelf.items.delete_item(Key={"id": "a"})
    assert shelf.dispatch("REMOVE", sequence=f"3{0:020d}").counts() == {"applied": 1}
    assert shelf.texts() == {}


def test_a_rebuilt_index_has_every_chunk_and_the_field_of_their_articles(shelf: Shelf) -> None:
    shelf.put("a", "one", "two")
    shelf.load()
    shelf.plant("a~/9", stream_version(time.time() - 60, None), text="nine", streamdex_parent="a")
    (rebuilt,) = change(
        shelf.app,
        TableFilter(),
        RebuildOptions(rebuild=True),
        SCAN,
        BackfillOptions(),
        1.0,
        lambda more: None,
    )
    assert rebuilt.live, rebuilt.words
    assert shelf.texts() == {"a~/0": "one", "a~/1": "two"}
    assert plan(shelf.app.context, shelf.app.router.indices[shelf.index]).state == "equal"
    mapping = ask("GET", f"{shelf.search_url}/{rebuilt.live}/_mapping")[rebuilt.live]["mappings"]
    assert mapping["properties"]["streamdex_parent"] == {"type": "keyword"}
