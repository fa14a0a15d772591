"""Errors in routes: each rejects its own record of its own route, and its reason names the cause."""

from __future__ import annotations

import re

import pytest
from builders import s3_record, stream_record
from fakes import Bench
from picture_routes import Items, Titles, Uploads, item

from service import Delete, Index, PutItem


def test_one_bad_item_of_a_batch_is_rejected_and_the_others_are_indexed():
    bench = Bench(Items())
    assert bench.outcomes(item("a"), item("b", **{"raise": True}), item("c")) == ["APPLIED", "REJECTED", "APPLIED"]
    assert sorted(bench.documents) == ["a", "c"]
    (letter,) = bench.letters.letters
    assert letter.route == "picture_routes:Items"
    assert letter.record.raw["dynamodb"]["Keys"] == {"id": {"S": "b"}}
    assert "broken item" in letter.result.reason


def test_the_reason_of_a_missing_attribute_names_route_key_and_attribute():
    bench = Bench(Items())
    bench.dispatch(stream_record(new={"id": "a"}))
    (letter,) = bench.letters.letters
    assert "picture_routes:Items" in letter.result.reason
    assert "key a" in letter.result.reason
    assert "'title'" in letter.result.reason


def test_of_two_routes_one_that_fails_is_kept_and_the_other_is_written():
    bench = Bench(Items(), Titles())
    assert bench.outcomes(item("a", **{"raise": True})) == ["REJECTED"]
    assert bench.index.documents == {("titles", "a"): {"t": "T"}}


def test_a_generator_that_fails_half_way_writes_nothing():
    bench = Bench(Uploads())
    assert bench.outcomes(s3_record("half")) == ["REJECTED"]
    assert bench.table.sent == []


def test_an_action_without_a_declared_target_is_refused():
    class Astray(Items):
        def remove(self, record, context):
            return [PutItem({"id": "x"})]

    class NoIndex(Uploads):
        def deleted(self, upload, context):
            return [Delete()]

    bench = Bench(Astray(), NoIndex())
    assert bench.outcomes(item("a", "REMOVE"), s3_record("a", "ObjectRemoved:Delete")) == ["REJECTED"] * 2
    assert bench.index.sent == []


@pytest.mark.parametrize("action", [Index({"title": "T"}), Delete()])
def test_what_is_said_of_a_missing_index_names_the_action_as_the_route_does(action):
    class NoIndex(Uploads):
        def deleted(self, upload, context):
            return [action]

    bench = Bench(NoIndex())
    bench.dispatch(s3_record("a", "ObjectRemoved:Delete"))
    assert f"{type(action).__name__} has no target: " in bench.letters.letters[0].result.reason


@pytest.mark.parametrize("answer", [{"a": 1}, [Index], [{"title": "T"}], 7, None])
def test_a_method_that_returns_no_actions_is_rejected(answer):
    class Odd(Items):
        def insert(self, record, context):
            return answer

    assert Bench(Odd()).outcomes(item("a")) == ["REJECTED"]


def test_a_wants_that_raises_hurts_its_own_route_alone():
    class Picky(Titles):
        def wants(self, record):
            raise ValueError("cannot tell")

    bench = Bench(Items(), Picky())
    assert bench.outcomes(item("a")) == ["REJECTED"]
    assert bench.index.documents == {("items", "a"): {"title": "T"}}
    assert (
        bench.letters.letters[0].route
        == "test_route_errors:test_a_wants_that_raises_hurts_its_own_route_alone.<locals>.Picky"
    )


def test_a_key_that_the_route_does_not_declare_is_rejected_naming_both():
    bench = Bench(Items())
    bench.dispatch(stream_record(keys={"PK": "a", "SK": "b"}, new={"title": "T"}))
    reason = bench.letters.letters[0].result.reason
    assert "id" in reason
    assert "PK, SK" in reason


def test_documents_of_another_number_than_items_are_rejected():
    class Short(Items):
        def documents(self, items, context):
            return []

    assert Bench(Short()).outcomes(item("a"), item("b")) == ["REJECTED", "REJECTED"]


def test_the_reason_of_a_mistake_names_the_line_that_made_it():
    bench = Bench(Items())
    bench.dispatch(item("a", **{"raise": True}))
    assert re.search(r"\(picture_routes\.py, line \d+\)$", bench.letters.letters[0].result.reason)


@pytest.mark.parametrize("document", ["text", 7, [("a", 1)]])
def test_a_document_that_is_no_mapping_is_rejected_in_words(document):
    class Odd(Items):
        def document(self, item):
            return document

    bench = Bench(Odd())
    assert bench.outcomes(item("a")) == ["REJECTED"]
    assert f"the document has type {type(document).__name__}" in bench.letters.letters[0].result.reason


def test_a_single_action_is_no_list_of_actions():
    class Single(Items):
        def insert(self, record, context):
            return Index({})

    bench = Bench(Single())
    bench.dispatch(item("a"))
    assert "return a list of actions" in bench.letters.letters[0].result.reason
