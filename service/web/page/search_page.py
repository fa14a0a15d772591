"""A search over the indices that routes write to. Other indices cannot be searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, abort, render_template, request

from ...clients.search.response_reader import part
from ...commands.inspection import words_of_search
from ...routing.patterns import is_plain
from ...sinks.opensearch.alias_targets import unsearched
from .page_state import State

SIZE: Final = 20

MAX_QUERY: Final = 1000
"""Maximum characters of a query."""

TIMEOUT: Final = 10
"""Seconds until a search times out."""


@dataclass(frozen=True)
class Found:
    """The result of a search.

    `hits` are the first of `total` documents. If `more` is True, `total` is a lower bound. `problem` is the error
    if the search failed.
    """

    hits: Sequence[Mapping[str, Any]] = ()
    total: int = 0
    more: bool = False
    problem: str = ""


def views(state: State) -> Blueprint:
    pages = Blueprint("search", __name__, url_prefix="/search")

    @pages.get("")
    def search() -> str:
        query = request.args.get("q", "")[:MAX_QUERY]
        index = request.args.get("index", "")
        if index and index not in state.indices:
            abort(404, "No route writes to this index.")
        found = find(state, query, [index] if index else state.indices) if "q" in request.args else None
        return render_template("search.html", query=query, index=index, found=found)

    return pages


def find(state: State, query: str, indices: Sequence[str]) -> Found:
    """Search for a query; an empty query finds all documents. Errors are returned as `problem`."""
    if not indices:
        return Found(problem="No route writes to an index.")
    context = state.app.context
    try:
        copies = [index for name in indices if not is_plain(name) for index in unsearched(context, name)]
        wanted = clause(query)
        if copies:
            wanted = {"bool": {"must": wanted, "must_not": {"terms": {"_index": copies}}}}
        body = {"size": SIZE, "version": True, "query": wanted, "timeout": f"{TIMEOUT}s"}
        answer = context.search.search(
            index=",".join(indices), body=body, ignore_unavailable=True, request_timeout=TIMEOUT
        )
        hits = [part(hit, dict) for hit in part(answer, list, "hits", "hits")]
        total = part(answer, dict, "hits").get("total", 0)
        counted = total if isinstance(total, Mapping) else {"value": total}
        return Found(hits, part(counted, int, "value"), counted.get("relation") == "gte")
    except Exception as error:
        return Found(problem=words_of_search(error))


def clause(query: str) -> dict[str, Any]:
    """Return the query clause. A simple query string accepts invalid syntax without an error.

    Source: "Simple query string", OpenSearch documentation.
    """
    if query.strip() in ("", "*"):
        return {"match_all": {}}
    return {"simple_query_string": {"query": query, "default_operator": "and", "lenient": True}}
