"""Documents as the JSON that is sent."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any, Final

import orjson

from ..errors import Reject
from ..routing import Document, Index

LONG: Final = (-(2**63), 2**63 - 1)
"""The least and the greatest integer of OpenSearch's type `long` ("Numeric field types"); it refuses any other."""

_FINITE: Final = frozenset({str, int, bool, type(None), bytes, Decimal})


class Serialised(Index):
    """An Index whose document is JSON already: a hundredth of the objects that the document was of.

    So little is kept of a batch that the processor finds what the next record needs where the last one left it.
    """

    __slots__ = ("text",)
    text: bytes

    def __init__(self, text: bytes):
        object.__setattr__(self, "text", text)

    @property
    def document(self) -> Document:  # read again, which is seldom wanted
        found: Document = orjson.loads(self.text)
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and other.document == self.document

    __hash__ = None  # type: ignore[assignment]


def indexing(document: Document) -> Index:
    """What makes a document one of an index: as JSON, unless it cannot be, which is for its sink to say.

    Raises Reject for what is no document.
    """
    if type(document) is not dict and not isinstance(document, Mapping):
        raise Reject(f"a document of type {type(document).__name__}: return a mapping, or None")
    try:
        # A copy: what orjson gives holds a buffer of many times its size.
        return Serialised(b"%b" % dump(document))
    except (RecursionError, TypeError, ValueError):
        return Index(document)


def text_of(action: Index) -> bytes:
    """The document as JSON. Raises RecursionError, TypeError or ValueError for what is none."""
    return action.text if type(action) is Serialised else dump(action.document)


def dump(document: Any) -> bytes:
    """Return the JSON of a document: a Decimal and an integer outside of `LONG` are strings, bytes are base64.

    orjson refuses integers beyond 53 bits here, so only a document that has one is searched for those outside of
    `LONG`. It writes NaN and infinities as null, so a document with a null is searched for them.

    Raises:
        TypeError, ValueError: a value that JSON cannot express.
    """
    try:
        text = orjson.dumps(document, _plain, orjson.OPT_STRICT_INTEGER)
    except TypeError:
        text = orjson.dumps(_within_long(document), _plain)
    nulls = text.count(b"null")
    if nulls and not (type(document) is dict and (holds_nulls(document, nulls) or surely_finite(document))):
        path = path_of_no_number(document)
        if path:
            raise ValueError(f"{path} is no finite number")
    return text


def holds_nulls(document: dict[str, Any], nulls: int) -> bool:
    """Whether so many nulls are all attributes of the document itself that are None: seen without a look at the
    others, of which a document may have thousands."""
    return list(document.values()).count(None) == nulls


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__}")


def _within_long(value: Any) -> Any:
    """Return the value with every integer outside of `LONG` as a string."""
    if isinstance(value, int):
        return value if LONG[0] <= value <= LONG[1] else str(int(value))
    if isinstance(value, set | frozenset):
        value = sorted(value)
    if isinstance(value, Mapping):
        return {key: _within_long(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_within_long(member) for member in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _within_long(getattr(value, field.name)) for field in fields(value)}
    return value


def surely_finite(value: dict[str, Any] | list[Any]) -> bool:
    """Whether there is no NaN and no infinity in a map or a list; False also where that takes a closer look.

    Asked of each document with a null in it, so it looks at each value once and no further than its type.
    """
    members: Iterable[Any] = value.values() if isinstance(value, dict) else value
    for member in members:
        kind = type(member)
        if kind is float:
            if not math.isfinite(member):
                return False
        elif kind is dict or kind is list:
            if not surely_finite(member):
                return False
        elif kind not in _FINITE:
            return False
    return True


def path_of_no_number(document: Any) -> str:
    """The path of a NaN or an infinity, which JSON has no word for; "" where there is none."""
    return next(_no_numbers(document, ""), "")


def _no_numbers(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield path or "the document itself"
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from _no_numbers(member, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple | set | frozenset):
        for position, member in enumerate(value):
            yield from _no_numbers(member, f"{path}[{position}]")
