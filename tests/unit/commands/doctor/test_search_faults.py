"""Faults of the search server and its indices: the doctor names each with a remedy, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from planted import SETTINGS, Clinic, index_of
from planted_search import SERVER, alias, answer, beside, both, health, index, indices, mapping, setting, status

from service.commands.doctor import ERROR, NOTE, WARNING

MANY = {f"f{number}": {"type": "keyword", "fields": {"text": {"type": "text"}}} for number in range(400)}

PLANTED: list[tuple[str, Callable[[Clinic], Any], tuple[str, str, str], str]] = [
    (
        "something else at the address",
        answer("/", {"hello": 1}),
        ("endpoints", SERVER, ERROR),
        "not an OpenSearch",
    ),
    ("a page at the address", answer("/", "<html>"), ("endpoints", SERVER, ERROR), "not an OpenSearch"),
    ("a path that leads nowhere", answer("/", None), ("endpoints", SERVER, ERROR), "GET / returns 404"),
    ("a server that is not well", status(503), ("endpoints", SERVER, ERROR), "503"),
    ("no credentials", status(401), ("credentials", SERVER, ERROR), "rejects the service's credentials (401)"),
    (
        "credentials that may do nothing",
        both(status(403), status(403, "POST /_bulk")),
        ("credentials", SERVER, ERROR),
        "rejects the service's credentials (403)",
    ),
    ("a user who may only write", status(403), ("permissions", SERVER, NOTE), "not checked"),
    (
        "settings that are not shown",
        status(403, f"GET {SETTINGS}"),
        ("permissions", SERVER, NOTE),
        "not checked",
    ),
    (
        "a server that makes indices by itself",
        setting("action.auto_create_index", "true"),
        ("index", SERVER, WARNING),
        "if images is deleted",
    ),
    (
        "a read-only server",
        setting("cluster.blocks.read_only", "true"),
        ("limits", SERVER, ERROR),
        "rejects writes",
    ),
    (
        "as many shards as there may be",
        health(active_shards=799),
        ("limits", SERVER, WARNING),
        "800 of at most 1000",
    ),
    (
        "an index that is missing, and nobody to make it",
        both(indices({}), lambda clinic: clinic.change(create_indices=False)),
        ("index", "index images", ERROR),
        "does not exist",
    ),
    (
        "a write block",
        index(blocks={"write": "true"}),
        ("index", "index images-000001", ERROR),
        "index.blocks.write is set",
    ),
    (
        "a disk that was full",
        index(blocks={"read_only_allow_delete": "true"}),
        ("index", "index images-000001", ERROR),
        "read_only_allow_delete",
    ),
    ("an index that forgets soon", index(gc_deletes="60s"), ("index", "index images-000001", ERROR), "after 60s"),
    ("an index that forgets at once", index(gc_deletes="-1"), ("index", "index images-000001", ERROR), "after -1"),
    (
        "an index that forgets when records are doubted",
        index(gc_deletes="1800s"),
        ("index", "index images-000001", ERROR),
        "1800 s (hint_after)",
    ),
    (
        "a field of another type",
        mapping(title={"type": "keyword"}, metadata={"properties": {}}),
        ("mapping", "index images-000001", ERROR),
        "metadata: type object -> flat_object; title: type keyword -> text",
    ),
    (
        "a type that the first number decided",
        mapping(price={"type": "long"}, more={"properties": {"rate": {"type": "float"}, "n": {"type": "double"}}}),
        ("mapping", "index images-000001", WARNING),
        "more.rate (float), price (long): searches and sums lose fractions",
    ),
    (
        "numbers whose type the first one will decide",
        lambda clinic: clinic.search.indices["images-000001"]["mappings"].pop("dynamic_templates"),
        ("mapping", "index images-000001", WARNING),
        "dynamic_templates",
    ),
    ("a field that is not there", mapping(caption=None), ("mapping", "index images-000001", WARNING), "caption"),
    (
        "as many fields as there may be",
        mapping(**MANY),
        ("limits", "index images-000001", WARNING),
        "805 of at most 1000 fields",
    ),
    (
        "an alias without an index that is written",
        alias(None, None),
        ("alias", "alias images", ERROR),
        "images-000001, images-000002",
    ),
    (
        "an alias of two that are written",
        alias(True, True),
        ("alias", "alias images", ERROR),
        "exactly one write index",
    ),
    (
        "an alias that may not be written",
        alias(False),
        ("alias", "alias images", ERROR),
        "exactly one write index",
    ),
    (
        "an alias that was rolled over",
        alias(False, True),
        ("alias", "alias images", ERROR),
        "find changed documents twice",
    ),
    (
        "an alias that will be rolled over",
        index(plugins={"index_state_management": {"rollover_alias": "images"}}),
        ("alias", "index images-000001", WARNING),
        "index.plugins.index_state_management.rollover_alias is set",
    ),
    (
        "an alias that Elasticsearch will roll over",
        index(lifecycle={"name": "p", "rollover_alias": "images"}),
        ("alias", "index images-000001", WARNING),
        "index.lifecycle.rollover_alias is set",
    ),
    (
        "an index whose alias is gone",
        indices({"images-000003": index_of()}),
        ("alias", "alias images", ERROR),
        "the next write creates images-000004",
    ),
    (
        "an index whose alias is gone, and nobody to make another",
        both(indices({"images-000003": index_of()}), lambda clinic: clinic.change(create_indices=False)),
        ("alias", "alias images", ERROR),
        "may belong to it: images-000003",
    ),
    (
        "an index that is no alias",
        indices({"images": index_of()}),
        ("alias", "index images", WARNING),
        "not an alias",
    ),
    (
        "a rebuild that nobody ended",
        beside("images-000002", images__also={}, images__new={}),
        ("rebuild", "index images-000002", WARNING),
        "a rebuild of images that is running or was interrupted",
    ),
    (
        "a rebuild that has failed",
        beside("images-000002", images__new={}),
        ("rebuild", "index images-000002", WARNING),
        "the rebuild of images failed",
    ),
    (
        "an index that was replaced, and is kept",
        beside("images-000000", images__also={}, images__old={}),
        ("rebuild", "index images-000000", WARNING),
        "replaced by images-000001 and is kept",
    ),
    (
        "an index that was replaced, and has missed writes",
        beside("images-000000", images__old={}),
        ("rebuild", "index images-000000", WARNING),
        "has missed writes since: a rollback would lose them",
    ),
    (
        "an index that nobody uses",
        beside("images-000000"),
        ("rebuild", "index images-000000", WARNING),
        "neither written nor searched",
    ),
]


@pytest.mark.long(after=12)
@pytest.mark.parametrize(("plant", "expected", "words"), [p[1:] for p in PLANTED], ids=[p[0] for p in PLANTED])
def test_each_fault_is_named_alone(clinic: Clinic, plant, expected, words):
    clinic.assert_found(plant, expected, words)


@pytest.mark.parametrize(
    "plant",
    [
        indices({}),  # the service creates it
        indices({"products": index_of(images={})}),
        beside("images-000002", old={}),  # an index of the operator
        beside("images-thumbnails"),
        alias(True),
        index(lifecycle={"name": "p", "rollover_alias": "another"}),
        setting("action.auto_create_index", "-images,-images-0*,+*"),
        index(gc_deletes="1801s"),
        health(active_shards=798),
    ],
)
def test_what_is_as_it_should_be_is_not_mentioned(clinic: Clinic, plant):
    plant(clinic)
    assert clinic.findings() == []
