"""Read all hits of a search, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .response_reader import part


def pages_of_hits(
    search: Any, index: str, body: Mapping[str, Any], keep: str, params: Mapping[str, str]
) -> Iterator[Sequence[Any]]:
    """Yield the pages of hits that a search has when it starts. `keep` is the time for one page, such as "5m".

    Raises UnexpectedAnswer, and what opensearch-py raises.
    """
    answer = search.search(index=index, body=body, params={**params, "scroll": keep})
    scroll = part(answer, str, "_scroll_id")
    try:
        while hits := part(answer, list, "hits", "hits"):
            yield hits
            answer = search.scroll(body={"scroll_id": scroll, "scroll": keep})
            scroll = part(answer, str, "_scroll_id")
    finally:
        search.clear_scroll(body={"scroll_id": [scroll]}, params={"ignore": 404})
