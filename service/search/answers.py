"""How the search client reads what the server answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import orjson

_GOOD: Final = re.compile(r'\s*\{"took":\d+,(?:"ingest_took":\d+,)?"errors":false,"items":\[')
"""How the answer to a bulk request begins of which each action was done."""


def read_answer(text: str) -> Any:
    """JSON by orjson. Raises ValueError for what is none.

    The answer to a bulk request has two hundred bytes for each action. It is only read where it tells of errors:
    of another nobody wants to know more than how many actions it is for.
    """
    return {"errors": False, "items": Done(text)} if _GOOD.match(text) else orjson.loads(text)


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
