"""How the search client reads what the server answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final, TypeAlias, TypeVar

import orjson

from ...errors import UnexpectedAnswer

T = TypeVar("T")

_JSON_TYPES: Final = (
    (Mapping, "an object"),
    (str, "text"),
    (Sequence, "a list"),
    (bool, "a boolean"),
    (int, "a number"),
    (float, "a number"),
    (type(None), "null"),
)

Aliases: TypeAlias = Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]
"""The answer to GET NAME*/_alias: `{index: {"aliases": {alias: properties}}}`."""

_GOOD: Final = re.compile(r'\s*\{"took":\d+,(?:"ingest_took":\d+,)?"errors":false,"items":\[')
"""How the answer to a bulk request begins of which each action was done."""


def read_answer(text: str) -> Any:
    """Return JSON as values. Raises UnexpectedAnswer for text that is none.

    The answer to a bulk request has two hundred bytes for each action. It is only read where it tells of errors:
    of another nobody wants to know more than how many actions it is for.
    """
    if _GOOD.match(text) and text.rstrip().endswith("]}"):
        return {"errors": False, "items": Done(text)}
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _read_by_python(text)


def _read_by_python(text: str) -> Any:
    """Return the same for NaN and for halves of surrogate pairs, which orjson refuses. Raises UnexpectedAnswer."""
    try:
        return json.loads(text)
    except (RecursionError, ValueError) as error:
        raise UnexpectedAnswer("the search server's answer is not JSON") from error


def part(answer: Any, kind: type[T], *path: str) -> T:
    """Return the value at a path of an answer.

    Raises UnexpectedAnswer where there is none, or one of another kind.
    """
    for name in path:
        answer = answer.get(name) if isinstance(answer, Mapping) else None
    if not isinstance(answer, kind):
        subject = f"{'.'.join(path)} in the search server's answer" if path else "the search server's answer"
        if path and answer is None:
            raise UnexpectedAnswer(f"{subject} is missing")
        raise UnexpectedAnswer(f"{subject} is {json_type(type(answer))}, and must be {json_type(kind)}")
    return answer


def json_type(kind: type[Any]) -> str:
    """Return the name that JSON has for the values of a type."""
    return next((name for one, name in _JSON_TYPES if issubclass(kind, one)), kind.__name__)


def aliases_in(answer: Any) -> Aliases:
    """Return the answer to a question for aliases. Raises UnexpectedAnswer."""
    for of in part(answer, dict).values():
        for properties in part(of, dict, "aliases").values():
            part(properties, dict)
    return answer  # type: ignore[no-any-return]  # it was looked at


def entries_in(answer: Any, count: int) -> Sequence[Any]:
    """Return the entries of a bulk answer, one for each of the actions, whatever is in them.

    Raises UnexpectedAnswer for more or fewer.
    """
    entries: Sequence[Any] = part(answer, Sequence, "items")  # type: ignore[type-abstract]
    if isinstance(entries, str) or len(entries) != count:
        raise UnexpectedAnswer(f"the search server's answer to {count} actions is about {len(entries)}")
    return entries


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
