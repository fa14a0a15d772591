"""Commands and the page with a search server that returns valid JSON of an unexpected shape."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from service.commands.comparison import Stored
from service.commands.index_documents import stored
from service.commands.inspection import look_up
from service.commands.verify.documents import locations_in
from service.context import Context
from service.errors import UnexpectedAnswer
from service.routing import Location
from service.settings import Settings
from service.web.page.search_page import find

OTHERS: list[Any] = [None, [], ["x"], "text", 7, {}, {"message": None}, {"hits": None}, {"hits": []}, {"docs": {}}]
OTHERS += [{"hits": {"hits": value}} for value in (None, "x", {"a": 1}, [None], ["x"], [{}], [{"_id": 7}])]
OTHERS += [{"docs": value} for value in ("x", [], [None], ["x"], [{}, {}])]
OTHERS += [{"_scroll_id": 7, "hits": {"hits": [{"_id": "a"}]}}, {"hits": {"hits": [{"_id": "a"}]}}]


def context_of(answer: Any) -> Context:
    """Return a context whose search server gives this answer to every request."""
    client = {name: lambda **_: answer for name in ("mget", "get", "search", "scroll", "clear_scroll")}
    indices = SimpleNamespace(refresh=lambda **_: answer)
    return Context(Settings(), search=SimpleNamespace(**client, indices=indices))


@pytest.mark.parametrize("answer", OTHERS, ids=json.dumps)
def test_documents_that_are_asked_for_by_their_ids(answer):
    with pytest.raises(UnexpectedAnswer, match="search server's answer"):
        stored(context_of(answer), [Location("images", "a")])


@pytest.mark.parametrize("entry", [{"_source": []}, {"_source": "x"}, {"_source": None}], ids=json.dumps)
def test_a_document_that_is_no_object(entry):
    with pytest.raises(UnexpectedAnswer):
        stored(context_of({"docs": [{"found": True, **entry}]}), [Location("images", "a")])


def test_a_document_of_a_search_server():
    found = stored(
        context_of({"docs": [{"found": True, "_version": 3, "_source": {"n": 1}}]}), [Location("images", "a")]
    )
    assert found == [Stored(3, {"n": 1})]


@pytest.mark.parametrize("answer", OTHERS, ids=json.dumps)
def test_the_ids_of_an_index(answer):
    with pytest.raises(UnexpectedAnswer, match="search server's answer"):
        list(locations_in(context_of(answer), "images"))


@pytest.mark.parametrize("answer", [other for other in OTHERS if not isinstance(other, dict)], ids=json.dumps)
def test_a_document_that_is_looked_up(answer):
    assert "search server's answer" in look_up(context_of(answer), Location("images", "a"))[1]


@pytest.mark.parametrize("source", [[], "x", 7])
def test_a_document_that_is_looked_up_and_is_no_object(source):
    assert "search server's answer" in look_up(context_of({"_source": source}), Location("images", "a"))[1]


@pytest.mark.parametrize("answer", [*OTHERS[:12], {"hits": {"hits": [], "total": "x"}}], ids=json.dumps)
def test_the_search_box_of_the_page(answer):
    state: Any = SimpleNamespace(app=SimpleNamespace(context=context_of(answer)))
    assert "search server's answer" in find(state, "lisbon", ["images"]).problem
