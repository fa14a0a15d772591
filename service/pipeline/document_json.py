"""Serialize documents to the JSON that is sent to the search server."""

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
"""The range of OpenSearch's type `long` ("Numeric field types"). OpenSearch rejects integers outside of it."""

_FINITE: Final = frozenset({str, int, bool, type(None), bytes, Decimal})


class Serialised(Index):
    """An Index whose document is already JSON.

    It needs a hundredth of the Python objects of the document, so the working set of a batch stays in the CPU
    cache.
    """

    __slots__ = ("text",)
    text: bytes

    def __init__(self, text: bytes):
        object.__setattr__(self, "text", text)

    @property
    def document(self) -> Document:  # parsed on each access, which is rare
        found: Document = orjson.loads(self.text)
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and other.document == self.document

    __hash__ = None  # type: ignore[assignment]


def indexing(document: Document) -> Index:
    """Return the action that indexes a document.

    A document that cannot be serialized is returned as a plain Index: the sink then reports the error. Raises
    Reject if the document is not a mapping.
    """
    if type(document) is not dict and not isinstance(document, Mapping):
        raise Reject(f"the document has type {type(document).__name__}: return a mapping or None")
    try:
        # Copy the bytes: the result of orjson keeps a buffer of many times its size.
        return Serialised(b"%b" % dump(document))
    except (RecursionError, TypeError, ValueError):
        return Index(document)


def text_of(action: Index) -> bytes:
    """Return the document as JSON. Raises RecursionError, TypeError or ValueError if it cannot be serialized."""
    return action.text if type(action) is Serialised else dump(action.document)


def dump(document: Any) -> bytes:
    """Return the JSON of a document. Decimals and integers outside of `LONG` become strings, bytes become base64.

    With these options orjson rejects integers of more than 53 bits, so only documents that contain one are
    searched for integers outside of `LONG`. orjson writes NaN and infinities as null, so documents with a null
    are searched for them.

    Raises RecursionError, TypeError or ValueError if JSON cannot represent a value.
    """
    try:
        text = orjson.dumps(document, _plain, orjson.OPT_STRICT_INTEGER)
    except TypeError:
        text = orjson.dumps(_within_long(document), _plain)
    nulls = text.count(b"null")
    if nulls and not (type(document) is dict and (holds_nulls(document, nulls) or surely_finite(document))):
        path = path_of_no_number(document)
        if path:
            raise ValueError(f"{path} is not a finite number")
    return text


def holds_nulls(document: dict[str, Any], nulls: int) -> bool:
    """True if the document has exactly `nulls` top-level attributes that are None.

    This check is fast, because it skips nested values.
    """
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
    raise TypeError(f"cannot serialize a value of type {type(value).__name__}")


def _within_long(value: Any) -> Any:
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
    """True if a map or list certainly contains no NaN or infinity. False if it may contain one.

    This runs for each document with a null, so it reads each value once and checks its exact type only.
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
    """Return the path of the first NaN or infinity, which JSON cannot represent, or "" if there is none."""
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
