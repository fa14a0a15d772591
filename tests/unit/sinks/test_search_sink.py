"""Bulk requests of the search sink: bounded and versioned. One bad action does not fail the others."""

from __future__ import annotations

import json
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar

import orjson
import pytest
from builders import stream_record
from fakes import records
from opensearchpy.exceptions import ConnectionError as Unreached
from opensearchpy.exceptions import NotFoundError, RequestError, TransportError

from service import Delete, Index, TableRoute
from service.context import Context
from service.errors import Halt, LeaseLost, UnexpectedAnswer
from service.model.outcomes import Lasting
from service.pipeline import Outcome, Write
from service.pipeline.document_json import dump
from service.routing import IndexDeclaration
from service.settings import Settings
from service.sinks.opensearch import SearchSink
from service.sinks.opensearch.index_creation import DOUBLES, index_body


class Items(TableRoute):
    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "items"


class Client:
    """A search client that answers like OpenSearch. `refuse` gets the ids of a request. It may answer or raise."""

    def __init__(self, refuse=lambda ids: None, exists: bool = True, create=lambda: None):
        self.requests: list[list[str]] = []
        self.bodies: list[bytes] = []
        self.looks: list[str] = []
        self.created: list[tuple[str, Any]] = []
        self._refuse = refuse
        self.indices = self
        self._exists = exists
        self._create = create

    def get_alias(self, index: str) -> Any:
        self.looks.append(index)
        return {"items-000001": {"aliases": {"items": {}}}} if self._exists else {}

    def create(self, index: str, body: Any) -> None:
        self._create()
        self.created.append((index, body))

    def bulk(self, body: bytes) -> Any:
        metas = [line for line in map(json.loads, body.splitlines()) if set(line) & {"index", "delete"}]
        ids = [next(iter(meta.values()))["_id"] for meta in metas]
        self.requests.append(ids)
        self.bodies.append(body)
        answer = self._refuse(ids)
        return answer if answer is not None else {"items": [{"index": {"status": 200}} for _ in ids]}


def write(name: str, document: Any = None, action: Any = None) -> Write:
    (record,) = records(stream_record(new={"id": name}))
    return Write(record, action or Index(document or {"n": 1}), "items", name, 7)


def sink(client: Client, **settings: Any) -> SearchSink:
    items = IndexDeclaration("items", {"properties": {"n": {"type": "long"}}})
    return SearchSink(Context(Settings(**settings), search=client), {"items": items})


def test_every_action_carries_an_external_version_deletes_too():
    client = Client()
    sink(client).write([write("a"), write("b", action=Delete())])
    lines = [json.loads(line) for line in client.bodies[0].splitlines()]
    meta = {"_index": "items", "require_alias": True, "version": 7, "version_type": "external_gte"}
    assert lines == [{"index": {**meta, "_id": "a"}}, {"n": 1}, {"delete": {**meta, "_id": "b"}}]


def test_requests_are_bounded_in_actions_and_in_bytes():
    client = Client()
    sink(client, bulk_actions=2).write([write(str(n)) for n in range(5)])
    assert client.requests == [["0", "1"], ["2", "3"], ["4"]]
    client = Client()
    sink(client, bulk_bytes=2048).write([write(str(n), {"text": "x" * 1500}) for n in range(3)])
    assert client.requests == [["0"], ["1"], ["2"]]


TOO_LONG = {"type": "action_request_validation_exception", "reason": "id [x] is too long"}
UNKNOWN = {"type": "lunar_exception", "reason": "the moon is full"}


@pytest.mark.parametrize(
    ("status", "error", "ends"),
    [
        (400, TOO_LONG, ("REJECTED", None)),
        (413, "too large", ("REJECTED", None)),
        (400, UNKNOWN, ("RETRY", Lasting.HALT)),
    ],
)
def test_one_action_that_sinks_the_request_is_found_and_the_others_are_written(status, error, ends):
    def refuse(ids):
        if "bad" in ids:
            raise RequestError(status, "?", {"error": error, "status": status})

    results = sink(Client(refuse)).write([write(name) for name in ("a", "b", "bad", "c", "d")])
    assert [r.outcome.name for r in results] == ["APPLIED", "APPLIED", ends[0], "APPLIED", "APPLIED"]
    assert (results[2].status, results[2].lasting) == (status, ends[1])


@pytest.mark.parametrize(
    "error",
    [
        Unreached("N/A", "refused", Exception()),
        TransportError(503, "down", {}),
        TransportError(429, "busy", "text"),
        UnexpectedAnswer("odd"),
    ],
)
def test_a_request_that_may_succeed_later_is_tried_again_whole(error):
    def refuse(ids):
        raise error

    client = Client(refuse)
    results = sink(client).write([write("a"), write("b")])
    assert [r.outcome for r in results] == [Outcome.RETRY, Outcome.RETRY]
    assert len(client.requests) == 1


def test_a_missing_endpoint_halts():
    def refuse(ids):
        raise NotFoundError(404, "no handler", {})

    with pytest.raises(Halt, match="SEARCH_URL"):
        sink(Client(refuse)).write([write("a")])


OTHER_SHAPES: list[Any] = [{}, [], 7, "text", {"message": None}, {"items": None}, {"items": "ab"}, {"items": 2}]
OTHER_SHAPES += [{"items": {"a": 1, "b": 2}}, {"items": []}, {"items": [{"index": {"status": 200}}] * 3}]
OTHER_SHAPES += [{"errors": False, "items": [entry, entry]} for entry in (None, {}, "ab", 7, [], {"index": None})]


@pytest.mark.parametrize("answer", OTHER_SHAPES, ids=json.dumps)
def test_a_bulk_answer_of_another_shape_is_no_success_and_tried_again(answer):
    results = sink(Client(lambda ids: answer)).write([write("a"), write("b")])
    assert [(r.outcome, r.lasting) for r in results] == [(Outcome.RETRY, Lasting.HALT)] * 2
    assert all("search server's answer" in result.reason for result in results)


def test_an_action_that_is_answered_in_another_shape_is_tried_again_alone():
    entries = [{"index": {"status": 200}}, None, {"index": {"status": 201}}]
    results = sink(Client(lambda ids: {"items": entries})).write([write("a"), write("b"), write("c")])
    assert [r.outcome.name for r in results] == ["APPLIED", "RETRY", "APPLIED"]


ALIASES: list[Any] = [None, [], ["items"], "items", 7, {"message": None}, {"items-000001": None}]
ALIASES += [{"items-000001": {"aliases": value}} for value in (None, [], "items", {"items": None}, {"items": "x"})]
ALIASES += [{"items-000001": {}}, {"error": "x", "status": 404}]


@pytest.mark.parametrize("answer", ALIASES, ids=json.dumps)
def test_an_answer_about_aliases_of_another_shape_is_tried_again_and_nothing_is_created(answer, monkeypatch):
    client = Client()
    monkeypatch.setattr(client, "get_alias", lambda index: answer)
    (result,) = sink(client).write([write("a")])
    assert (result.outcome, result.status, result.lasting) == (Outcome.RETRY, None, Lasting.HALT)
    assert "search server's answer" in result.reason
    assert client.created == client.requests == []


def test_a_document_that_cannot_be_json_is_rejected_alone():
    client = Client()
    results = sink(client).write([write("a"), write("b", {"x": object()}), write("c")])
    assert [r.outcome.name for r in results] == ["APPLIED", "REJECTED", "APPLIED"]
    assert client.requests == [["a", "c"]]


def test_a_missing_index_is_created_once_with_the_routes_mapping_and_long_tombstones():
    client = Client(exists=False)
    writer = sink(client)
    writer.write([write("a")])
    writer.write([write("b")])
    ((index, body),) = client.created
    assert index == "items-000001"
    assert body["aliases"] == {"items": {}}
    assert body["settings"]["index"]["gc_deletes"] == "1h"
    assert body["mappings"] == {
        "date_detection": False,
        "dynamic_templates": [
            {"streamdex_long": {"match_mapping_type": "long", "mapping": {"type": "double"}}},
            {"streamdex_double": {"match_mapping_type": "double", "mapping": {"type": "double"}}},
        ],
        "properties": {"n": {"type": "long"}},
    }


def test_a_missing_index_is_created_with_the_settings_and_aliases_that_routes_declare():
    client = Client(exists=False)
    settings = {"gc_deletes": "2h", "number_of_shards": 3}
    declared = IndexDeclaration("items", {"date_detection": True}, settings, ("search",))
    SearchSink(Context(Settings(), search=client), {"items": declared}).write([write("a")])
    ((index, body),) = client.created
    assert index == "items-000001"
    assert body == {
        "settings": {"index": settings},
        "mappings": {"date_detection": True, "dynamic_templates": DOUBLES},
        "aliases": {"items": {}, "search": {}},
    }


def test_an_index_that_another_process_made_first_is_used():
    def create():
        raise RequestError(400, "resource_already_exists_exception", {})

    results = sink(Client(exists=False, create=create)).write([write("a")])
    assert results[0].outcome is Outcome.APPLIED


def test_an_index_that_cannot_be_created_halts_and_blames_no_document():
    def create():
        raise RequestError(400, "mapper_parsing_exception", {"error": "no handler for type"})

    with pytest.raises(Halt, match="items cannot be created"):
        sink(Client(exists=False, create=create)).write([write("a")])


def test_a_server_that_is_down_while_the_index_is_looked_for_is_tried_again():
    def create():
        raise Unreached("N/A", "refused", Exception())

    client = Client(exists=False, create=create)
    (result,) = sink(client).write([write("a")])
    assert (result.outcome, result.status) == (
        Outcome.RETRY,
        None,
    )  # a status would count towards giving up on the document
    assert client.requests == []


def test_nothing_is_created_where_settings_forbid_it():
    client = Client(exists=False)
    sink(client, create_indices=False).write([write("a")])
    assert client.created == []


def test_json_has_decimals_and_long_integers_as_text_and_bytes_as_base64():
    document = {"d": Decimal("1.10"), "long": [2**70, -(2**70)], "b": b"\0\1", "s": {"b", "a"}, "n": 2**63}
    assert orjson.loads(dump(document)) == {
        "d": "1.10",
        "long": [str(2**70), str(-(2**70))],
        "b": "AAE=",
        "s": ["a", "b"],
        "n": str(2**63),
    }


def test_the_dynamic_templates_of_routes_come_before_those_of_numbers():
    ours = {"counts": {"match": "count_*", "mapping": {"type": "long"}}}
    body = index_body(IndexDeclaration("items", {"dynamic_templates": [ours]}), Settings())
    assert body["mappings"]["dynamic_templates"] == [ours, *DOUBLES]


def test_the_server_chooses_the_type_of_numbers_where_the_setting_says_so():
    body = index_body(IndexDeclaration("items", {"dynamic": True}), Settings(undeclared_numbers="dynamic"))
    assert body["mappings"] == {"date_detection": False, "dynamic": True}


def gone(ids):
    error = {"type": "index_not_found_exception", "reason": "no such index"}
    return {"items": [{"delete": {"status": 404, "error": error}} for _ in ids]}


def test_an_index_that_is_gone_is_created_again_before_the_next_try():
    client = Client(gone, exists=False)
    writer = sink(client)
    assert [writer.write([write("a")])[0].outcome for _ in range(2)] == [Outcome.RETRY, Outcome.RETRY]
    assert len(client.created) == 2


def test_an_index_that_is_gone_halts_where_the_service_may_not_create_it():
    with pytest.raises(Halt, match="STREAMDEX_CREATE_INDICES"):
        sink(Client(gone), create_indices=False).write([write("a")])


def test_a_server_that_comes_back_is_asked_for_its_indices_again():
    trouble = [Unreached("N/A", "refused", Exception())]

    def refuse(ids):
        if trouble:
            raise trouble.pop()

    client = Client(refuse, exists=False)
    writer = sink(client)
    for _ in range(3):
        writer.write([write("a")])
    assert len(client.created) == 2


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


def failing(*poison: str, status: int = 500):
    """Return a `refuse` that raises for each request that contains one of these ids."""

    def refuse(ids: list[str]) -> None:
        if set(poison) & set(ids):
            raise TransportError(status, "internal error", {})

    return refuse


def ended(client: Client, names: str, **settings: Any) -> dict[str, tuple[str, int | None]]:
    results = sink(client, **settings).write([write(name) for name in names])
    return {name: (result.outcome.name, result.status) for name, result in zip(names, results, strict=True)}


def test_a_document_that_makes_the_server_fail_is_found_and_the_others_are_written():
    found = ended(Client(failing("c")), "abcdefgh")
    assert found.pop("c") == ("RETRY", 500)
    assert {outcome for outcome, _ in found.values()} == {"APPLIED"}


def test_a_server_that_fails_altogether_is_asked_three_times_and_no_document_is_to_blame():
    client = Client(failing(*"abcdefgh"))
    assert set(ended(client, "abcdefgh").values()) == {("RETRY", None)}
    assert len(client.requests) == 3


@pytest.mark.parametrize(
    "error", [TransportError(503, "down", {}), Unreached("TIMEOUT", "slow", Exception("slow"))]
)
def test_requests_get_smaller_when_the_server_does_not_cope_until_one_alone_is_to_blame(error):
    def refuse(ids: list[str]) -> None:
        if "c" in ids:
            raise error

    client = Client(refuse)
    writer = sink(client, bulk_actions=8)
    names = list("abcdefgh")
    for _ in range(12):
        results = writer.write([write(name) for name in names])
        names = [n for n, result in zip(names, results, strict=True) if result.outcome is Outcome.RETRY]
    assert names == ["c"]
    assert results[0].status in (503, 504)


def test_a_server_that_is_down_is_not_asked_again_and_again_for_one_batch():
    client = Client(failing(*"abcdefghijklmnop", status=503))
    assert {outcome for outcome, _ in ended(client, "abcdefghijklmnop", bulk_actions=2).values()} == {"RETRY"}
    assert len(client.requests) == 3


@pytest.mark.parametrize("lasts", range(3))
def test_the_fence_is_asked_before_each_request_that_changes_something(lasts):
    client, left = Client(exists=False), iter(range(lasts))

    def fence() -> None:
        if next(left, None) is None:
            raise LeaseLost("taken over")

    context = Context(Settings(bulk_actions=1), search=client)
    with pytest.raises(LeaseLost):
        SearchSink(context, {}).write([write("a"), write("b")], fence)
    sent = [len(client.looks), len(client.created), len(client.requests)]
    assert sent == [[1, 0, 0], [2, 1, 0], [2, 1, 1]][lasts]
