"""The search box: it searches only the indices of the routes, and shows at most twenty documents."""

from __future__ import annotations

import pytest
from builders import stream_record
from opensearchpy.exceptions import ConnectionError as Unreached
from opensearchpy.exceptions import RequestError
from page_bench import words


def test_it_shows_documents_with_id_index_and_version(page):
    page.dispatch(stream_record(new={"id": "a", "n": "Dusk"}))
    shown = words(page.get("/search?q=dusk"))
    assert '1 document a index items, version 7 { "n": "Dusk" }' in shown


def test_nothing_is_searched_before_the_form_is_sent(page):
    page.get("/search")
    assert page.index.searches == []


@pytest.mark.parametrize("query", ["", "*", " "])
def test_an_empty_query_finds_all_documents(page, query):
    page.get(f"/search?q={query}")
    assert page.index.searches[0]["body"]["query"] == {"match_all": {}}


def test_a_query_is_bounded_and_never_a_syntax_error(page):
    page.get("/search?q=" + "(%22" * 2000)
    (asked,) = page.index.searches
    assert asked["index"] == "items"
    assert asked["body"]["size"] == 20
    clause = asked["body"]["query"]["simple_query_string"]
    assert clause["query"] == ('("' * 2000)[:1000]


@pytest.mark.parametrize(
    "index", ["else", "*", "_all", "items,else", ".security", "-items", "items/_delete_by_query"]
)
def test_another_index_is_never_asked(page, index):
    page.get(f"/search?q=x&index={index}", 404)
    assert page.index.searches == []
    page.get("/search?q=x&index=items")
    assert page.index.searches[0]["index"] == "items"


@pytest.mark.parametrize(
    ("error", "reported"),
    [
        (
            Unreached("N/A", "connection refused", OSError()),
            "the search server does not answer: connection refused",
        ),
        (
            RequestError(
                400, "x", {"error": {"reason": "all shards failed", "root_cause": [{"reason": "too many"}]}}
            ),
            "the search server answered 400: too many",
        ),
    ],
)
def test_an_error_of_the_server_is_shown_as_text(page, error, reported):
    page.index.errors = [error]
    assert reported in words(page.get("/search?q=x"))


def test_a_document_that_is_long_is_shortened(page):
    page.dispatch(stream_record(new={"id": "a", "n": "x" * 10_000}))
    html = page.get("/search?q=x")
    assert "more characters)" in html
    assert len(html) < 10_000


def test_an_empty_result_is_reported(page):
    assert "No documents found." in page.get("/search?q=x")
