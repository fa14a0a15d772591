"""A search box over the indices that routes write to; nothing else can be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, abort, render_template, request

from ...clients.search.response_reader import part
from ...commands.inspection import words_of_search
from .page_state import State

SIZE: Final = 20

LONGEST: Final = 1000
"""Characters of a query."""

TIMEOUT: Final = 10
"""Seconds."""


@dataclass(frozen=True)
class Found:
    """What a search found: some of `total` documents, of at least so many with `more`. `problem` is why nobody
    knows."""

    hits: Sequence[Mapping[str, Any]] = ()
    total: int = 0
    more: bool = False
    problem: str = ""


def views(state: State) -> Blueprint:
    pages = Blueprint("search", __name__, url_prefix="/search")

    @pages.get("")
    def box() -> str:
        query = request.args.get("q", "")[:LONGEST]
        index = request.args.get("index", "")
        if index and index not in state.indices:
            abort(404, "No route writes to this index.")
        found = find(state, query, [index] if index else state.indices) if "q" in request.args else None
        return render_template("search.html", query=query, index=index, found=found)

    return pages


def find(state: State, query: str, indices: Sequence[str]) -> Found:
    """The documents that a query finds; all for none. Raises nothing."""
    if not indices:
        return Found(problem="No route writes to an index.")
    body = {"size": SIZE, "version": True, "query": clause(query), "timeout": f"{TIMEOUT}s"}
    try:
        answer = state.app.context.search.search(
            index=",".join(indices), body=body, ignore_unavailable=True, request_timeout=TIMEOUT
        )
        hits = [part(hit, dict) for hit in part(answer, list, "hits", "hits")]
        total = part(answer, dict, "hits").get("total", 0)
        counted = total if isinstance(total, Mapping) else {"value": total}
        return Found(hits, part(counted, int, "value"), counted.get("relation") == "gte")
    except Exception as error:
        return Found(problem=words_of_search(error))


def clause(query: str) -> dict[str, Any]:
    """What people type never is an error in it ("Simple query string", OpenSearch documentation)."""
    if query.strip() in ("", "*"):
        return {"match_all": {}}
    return {"simple_query_string": {"query": query, "default_operator": "and", "lenient": True}}
