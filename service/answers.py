"""How the search client reads what the server answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import orjson
from opensearchpy import JSONSerializer

_GOOD: Final = re.compile(r'\s*\{"took":\d+,(?:"ingest_took":\d+,)?"errors":false,"items":\[')
"""How the answer to a bulk request begins of which each action was done."""


class AnswerReader(JSONSerializer):
    """JSON by orjson. The answer to a bulk request has two hundred bytes for each action; it is only read where it
    tells of errors: of another nobody wants to know more than how many actions it is for."""

    def loads(self, s: str) -> Any:
        """Raises opensearch-py's SerializationError for what is no JSON."""
        if _GOOD.match(s):
            return {"errors": False, "items": Done(s)}
        try:
            return orjson.loads(s)
        except orjson.JSONDecodeError:
            return super().loads(s)  # which takes NaN, or says what is wrong


class Done(Sequence[Any]):
    """The actions of an answer without errors; read once somebody looks at one."""

    def __init__(self, text: str):
        self._text = text

    def __len__(self) -> int:
        # Each action has one. Within a text of JSON there is no quotation mark without a backslash before it.
        return self._text.count('"status":')

    def __getitem__(self, at: Any) -> Any:
        return self._items[at]

    @cached_property
    def _items(self) -> list[Any]:
        items: list[Any] = orjson.loads(self._text)["items"]
        return items
