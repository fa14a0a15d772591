"""Parsing and checking of the search server's responses."""

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
"""The response to GET NAME*/_alias: `{index: {"aliases": {alias: properties}}}`."""

_GOOD: Final = re.compile(r'\s*\{"took":\d+,(?:"ingest_took":\d+,)?"errors":false,"items":\[')
"""The start of the response to a bulk request without errors."""


def read_answer(text: str) -> Any:
    """Parse JSON. Raises UnexpectedAnswer if the text is not JSON.

    The response to a bulk request has about 200 bytes per action. Without errors it is not parsed, because only
    the number of its actions is needed.
    """
    if _GOOD.match(text) and text.rstrip().endswith("]}"):
        return {"errors": False, "items": Done(text)}
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _read_by_python(text)


def _read_by_python(text: str) -> Any:
    """Parse JSON with NaN or unpaired surrogates, which orjson rejects. Raises UnexpectedAnswer."""
    try:
        return json.loads(text)
    except (RecursionError, ValueError) as error:
        raise UnexpectedAnswer("the search server's answer is not JSON") from error


def part(answer: Any, kind: type[T], *path: str) -> T:
    """Return the value at a path of a response. Raises UnexpectedAnswer if it is missing or not of type `kind`."""
    for name in path:
        answer = answer.get(name) if isinstance(answer, Mapping) else None
    if not isinstance(answer, kind):
        subject = f"{'.'.join(path)} in the search server's answer" if path else "the search server's answer"
        if path and answer is None:
            raise UnexpectedAnswer(f"{subject} is missing")
        raise UnexpectedAnswer(f"{subject} is {json_type(type(answer))}, but must be {json_type(kind)}")
    return answer


def json_type(kind: type[Any]) -> str:
    """Return the JSON name of a Python type, for error texts."""
    return next((name for one, name in _JSON_TYPES if issubclass(kind, one)), kind.__name__)


def aliases_in(answer: Any) -> Aliases:
    """Return a checked response to a request for aliases. Raises UnexpectedAnswer."""
    for of in part(answer, dict).values():
        for properties in part(of, dict, "aliases").values():
            part(properties, dict)
    return answer  # type: ignore[no-any-return]  # checked above


def entries_in(answer: Any, count: int) -> Sequence[Any]:
    """Return the entries of a bulk response, one per action. Their contents are not checked.

    Raises UnexpectedAnswer if there are not exactly `count` entries.
    """
    entries: Sequence[Any] = part(answer, Sequence, "items")  # type: ignore[type-abstract]
    if isinstance(entries, str) or len(entries) != count:
        raise UnexpectedAnswer(f"the search server's answer has {len(entries)} results for {count} actions")
    return entries


class Done(Sequence[Any]):
    """The entries of a bulk response without errors. The text is parsed on first access."""

    def __init__(self, text: str):
        self._text = text

    def __len__(self) -> int:
        # Each action has one status. JSON strings cannot contain this text, because they escape quotation marks.
        return self._text.count('"status":')

    def __getitem__(self, at: Any) -> Any:
        return self._items[at]

    @cached_property
    def _items(self) -> list[Any]:
        items: list[Any] = orjson.loads(self._text)["items"]
        return items
