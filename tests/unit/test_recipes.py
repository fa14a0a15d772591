"""The samples of docs/semantic-search.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from service import Context
from service.routing import Router

PAGE = Path(__file__).parents[2] / "docs" / "semantic-search.md"

PREAMBLE = """
from __future__ import annotations
import hashlib
from collections.abc import Sequence
from typing import ClassVar
from service import *
"""


def sample(number: int) -> dict[str, Any]:
    """Return the names of a sample of the page."""
    names: dict[str, Any] = {"__name__": "recipe"}
    exec(PREAMBLE + re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[number], names)
    return names


def test_the_route_with_a_pipeline_can_be_declared():
    router = Router([sample(0)["Books"]()])
    (declared,) = router.indices.values()
    assert [str(one) for one in declared.pipelines] == [
        "ingest pipeline embed-books",
        "search pipeline books-search",
    ]
    assert (router.bound[0].pipeline, router.bound[0].computed) == ("embed-books", ("embedding",))
    assert declared.settings["search.default_pipeline"] == "books-search"


class Stored:
    """A search client with the documents that were stored before."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}

    def mget(self, index: str, body: Any, _source: Any) -> Any:
        assert index == "books"
        return {"docs": [self._one(name, _source) for name in body["ids"]]}

    def _one(self, name: str, fields: Any) -> Any:
        if name not in self.documents:
            return {"_id": name, "found": False}
        return {"_id": name, "found": True, "_source": {field: self.documents[name][field] for field in fields}}


def test_a_route_that_calls_a_model_embeds_only_what_changed():
    names, search, embedded = sample(1), Stored(), list[str]()
    context = Context(search=search)

    def embed(texts: list[str]) -> list[list[float]]:
        embedded.extend(texts)
        return [[float(len(text))] for text in texts]

    names["embed"] = embed
    books = names["Books"]()
    Router([books])

    def write(**summaries: str) -> None:
        items = [{"isbn": name, "summary": text} for name, text in summaries.items()]
        search.documents |= dict(zip(summaries, books.documents(items, context), strict=True))

    write(a="ice", b="sea", c="ice")
    assert embedded == ["ice", "sea"]
    write(a="ice", b="the sea", c="ice")
    assert embedded == ["ice", "sea", "the sea"]
    assert [search.documents[name]["embedding"] for name in "abc"] == [[3.0], [7.0], [3.0]]
    names["MODEL"] = "another"
    write(a="ice")
    assert embedded[3:] == ["ice"]
