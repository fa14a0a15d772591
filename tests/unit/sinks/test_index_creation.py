"""The creation of missing indices: their mappings and settings, and failures to create them."""

from __future__ import annotations

import pytest
from bulk_client import Client, sink, write
from opensearchpy.exceptions import ConnectionError as Unreached
from opensearchpy.exceptions import RequestError

from service.context import Context
from service.errors import Halt
from service.pipeline import Outcome
from service.routing import IndexDeclaration
from service.settings import Settings
from service.sinks.opensearch import SearchSink
from service.sinks.opensearch.index_creation import DOUBLES, index_body


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
