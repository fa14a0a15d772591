"""Documents of bulk requests: their JSON, and the rejection of invalid ones, with the field in the reason."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from bulk_client import Client, sink, write

from service import Delete
from service.pipeline import Outcome
from service.pipeline.document_json import dump


def test_a_document_that_cannot_be_json_is_rejected_alone():
    client = Client()
    results = sink(client).write([write("a"), write("b", {"x": object()}), write("c")])
    assert [r.outcome.name for r in results] == ["APPLIED", "REJECTED", "APPLIED"]
    assert client.requests == [["a", "c"]]


def test_json_has_decimals_and_long_integers_as_text_and_bytes_as_base64():
    document = {"d": Decimal("1.10"), "long": [2**70, -(2**70)], "b": b"\0\1", "s": {"b", "a"}, "n": 2**63}
    assert orjson.loads(dump(document)) == {
        "d": "1.10",
        "long": [str(2**70), str(-(2**70))],
        "b": "AAE=",
        "s": ["a", "b"],
        "n": str(2**63),
    }


def test_a_document_that_contains_itself_is_rejected_alone():
    endless: dict[str, Any] = {}
    endless["again"] = endless
    results = sink(Client()).write([write("a"), write("b", endless)])
    assert [r.outcome.name for r in results] == ["APPLIED", "REJECTED"]


def test_any_mapping_may_be_a_document():
    assert dump(MappingProxyType({"a": MappingProxyType({"b": 2**70})})) == b'{"a":{"b":"1180591620717411303424"}}'


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"a": {"b": [1, float("nan")]}}, "a.b[1]"),
        ({"a": None, "x": float("inf")}, "x"),
        ({"a": ({"n": -float("inf")},)}, "a[0].n"),
    ],
)
def test_a_number_that_json_cannot_hold_is_rejected_with_its_path(document, path):
    client = Client()
    results = sink(client).write([write("a"), write("b", document)])
    assert [r.outcome.name for r in results] == ["APPLIED", "REJECTED"]
    assert f"{path} is not a finite number" in results[1].reason
    assert client.requests == [["a"]]


def test_a_null_that_is_meant_is_written():
    assert dump({"a": None, "b": "null", "c": 1.5}) == b'{"a":null,"b":"null","c":1.5}'


def test_a_document_over_the_limit_is_rejected_before_it_is_sent():
    client = Client()
    results = sink(client, document_bytes=1024).write([write("a"), write("b", {"text": "x" * 2000})])
    assert [r.outcome.name for r in results] == ["APPLIED", "REJECTED"]
    assert "DOCUMENT_BYTES" in results[1].reason
    assert client.requests == [["a"]]


@pytest.mark.parametrize(
    ("reason", "document", "words"),
    [
        (
            "failed to parse field [m.n] of type [long] in document with id 'a'. Preview of value: 'secret'",
            {"m": {"n": "secret"}},
            "field m.n contains text, but is mapped as long",
        ),
        (
            "failed to parse field [tags] of type [date] in document with id 'a'. Preview of value: '{x=1}'",
            {"tags": [{"x": 1}, True]},
            "field tags contains boolean and object, but is mapped as date",
        ),
        (
            "object mapping for [m] tried to parse field [m] as object, but found a concrete value",
            {"m": 7},
            "field m contains number, but is mapped as object",
        ),
    ],
)
def test_a_mapping_conflict_names_field_value_type_and_mapping_type_and_not_the_value(reason, document, words):
    def refuse(ids):
        return {
            "items": [{"index": {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": reason}}}]
        }

    (result,) = sink(Client(refuse)).write([write("a", document)])
    assert result.reason == f"index items: mapping conflict: {words}"


METADATA = "Field [_version] is a metadata field and cannot be added inside a document. Use the index API request"


@pytest.mark.parametrize(
    "error",
    [
        {
            "type": "mapper_parsing_exception",
            "reason": "failed to parse field [_version] of type [_version] in document with id '4': 'secret'",
            "caused_by": {"type": "mapper_parsing_exception", "reason": METADATA},
        },
        {"type": "mapper_parsing_exception", "reason": METADATA},
        {"type": "document_parsing_exception", "reason": f"[1:13] {METADATA}"},
    ],
    ids=["OpenSearch and Elasticsearch 7", "without a cause", "Elasticsearch 8"],
)
def test_a_metadata_field_in_a_document_is_named_with_the_remedy(error):
    client = Client(lambda ids: {"items": [{"index": {"status": 400, "error": error}}]})
    (result,) = sink(client).write([write("a", {"_version": "secret"})])
    assert result.outcome is Outcome.REJECTED
    assert result.reason == (
        "index items: _version is a metadata field of the index and cannot be in a document:"
        " remove it from the document, or rename it"
    )


@pytest.mark.parametrize(("newer_only", "kind"), [(False, "external_gte"), (True, "external")])
def test_a_write_of_a_known_version_replaces_only_an_older_one(newer_only, kind):
    client = Client()
    sink(client).write([replace(write("a"), newer_only=newer_only)])
    meta = orjson.loads(client.bodies[0].splitlines()[0])["index"]
    assert (meta["version"], meta["version_type"]) == (7, kind)


def test_only_the_line_of_a_document_names_its_ingest_pipeline():
    client = Client()
    piped = [replace(write("a"), pipeline="embed"), replace(write("b", action=Delete()), pipeline="embed")]
    sink(client).write([*piped, write("c")])
    metas = [
        next(iter(line.values())) for line in map(orjson.loads, client.bodies[0].splitlines()) if "n" not in line
    ]
    assert [meta.pop("_id") for meta in metas] == ["a", "b", "c"]
    versioned = {"_index": "items", "require_alias": True, "version": 7, "version_type": "external_gte"}
    assert metas == [{**versioned, "pipeline": "embed"}, versioned, versioned]
