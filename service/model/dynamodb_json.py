"""Convert DynamoDB's typed JSON to Python values.

| DynamoDB   | Python                                                                       |
|------------|------------------------------------------------------------------------------|
| S          | str                                                                          |
| N          | int; float if a double holds it without loss; otherwise Decimal              |
| B          | bytes, from bytes (boto3) or base64 text (Lambda event)                      |
| SS, NS, BS | sorted list                                                                  |
| M, L       | dict, list                                                                   |
| BOOL, NULL | bool, None                                                                   |

This code runs for every value of every record. Strings, the most frequent type, are read inline; other types need
one dictionary lookup.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ..errors import DecodeError

# DynamoDB numbers range from 1E-130 to 9.99…E+125 ("Supported data types", Developer Guide).
LARGEST_EXPONENT: Final = 126
SMALLEST_EXPONENT: Final = -170  # 1E-130 with 38 significant digits, plus a margin

SHORT: Final = 15
"""Maximum characters of a number that a double holds without loss: 15 significant digits survive a round trip."""

PLAIN: Final = (1e-100, 1e15)
"""Between these bounds a whole double equals the integer, and every number is within DynamoDB's range."""


def read_item(image: Any) -> dict[str, Any]:
    """Return a whole item as Python values. Raises DecodeError with the path of the invalid attribute."""
    try:
        return _map(image)
    except RecursionError:
        raise DecodeError(": nested too deeply") from None


def read_value(typed: Any) -> Any:
    """Return the Python value of one typed value: {"N": "1"} is 1. Raises DecodeError."""
    try:
        return _value(typed)
    except RecursionError:
        raise DecodeError(": nested too deeply") from None


def _value(typed: Any) -> Any:
    try:
        (tag,) = typed
        content, read = typed[tag], READERS[tag]
    except (LookupError, TypeError, ValueError):
        raise _untyped(typed) from None
    return read(content)


def _map(value: Any) -> dict[str, Any]:
    if type(value) is not dict and not isinstance(value, Mapping):
        raise DecodeError(f": {shorten(value)} is not a map of attributes (M)")
    found = {}
    for name, typed in value.items():
        try:
            (tag,) = typed
            content = typed[tag]
            found[name] = content if tag == "S" and type(content) is str else READERS[tag](content)
        except DecodeError as error:
            raise DecodeError(f".{name}{error}") from None
        except (LookupError, TypeError, ValueError):
            raise DecodeError(f".{name}{_untyped(typed)}") from None
    return found


def _each(value: Any, read: Callable[[Any], Any]) -> list[Any]:
    if type(value) is not list and not isinstance(value, tuple | list | set | frozenset):
        raise DecodeError(f": {shorten(value)} is not a list of values")
    found = []
    for member in value:
        try:
            found.append(read(member))
        except DecodeError as error:
            raise DecodeError(f"[{len(found)}]{error}") from None
    return found


def _list(value: Any) -> list[Any]:
    """Inline strings as _map does, instead of calling _each: large items hold most of their values in lists."""
    if type(value) is not list and not isinstance(value, tuple | list | set | frozenset):
        raise DecodeError(f": {shorten(value)} is not a list of values")
    found: list[Any] = []
    for typed in value:
        try:
            (tag,) = typed
            content = typed[tag]
            found.append(content if tag == "S" and type(content) is str else READERS[tag](content))
        except DecodeError as error:
            raise DecodeError(f"[{len(found)}]{error}") from None
        except (LookupError, TypeError, ValueError):
            raise DecodeError(f"[{len(found)}]{_untyped(typed)}") from None
    return found


def _texts(value: Any) -> list[str]:
    return sorted(_each(value, _text))


def _numbers(value: Any) -> list[int | float | Decimal]:
    return sorted(_each(value, _number))


def _binaries(value: Any) -> list[bytes]:
    return sorted(_each(value, _binary))


def _text(value: Any) -> str:
    if type(value) is not str:
        raise DecodeError(f": {shorten(value)} is not text (S)")
    return value


def _number(value: Any) -> int | float | Decimal:
    """Convert a number: int, float if a double holds it without loss, otherwise Decimal."""
    if type(value) is not str:
        raise DecodeError(f": {shorten(value)} is not the text of a number (N)")
    if len(value) > SHORT:
        return to_number(value)
    if value.isdecimal():
        return int(value)
    try:
        double = float(value)
    except ValueError:
        return to_number(value)
    if not PLAIN[0] < abs(double) < PLAIN[1]:
        return to_number(value)
    return int(double) if double.is_integer() else double


def to_number(text: str) -> int | float | Decimal:
    """Convert a number of any length through its exact decimal value. Raises DecodeError."""
    if text.isascii() and (text.isdigit() or (text[:1] == "-" and text[1:].isdigit())) and len(text) < 200:
        return int(text)
    try:
        exact = Decimal(text)
    except InvalidOperation:
        raise DecodeError(f": {shorten(text)} is not a number (N)") from None
    _, digits, exponent = exact.as_tuple()
    if not isinstance(exponent, int):
        raise DecodeError(f": {shorten(text)} is not a finite number (N)")
    if len(digits) + exponent > LARGEST_EXPONENT or exponent < SMALLEST_EXPONENT:
        raise DecodeError(f": {shorten(text)} is outside the range of DynamoDB's numbers (N)")
    if exact == exact.to_integral_value():
        return int(exact)
    double = float(exact)
    return double if Decimal(repr(double)) == exact else exact


def _binary(value: Any) -> bytes:
    if type(value) is bytes:
        return value
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise DecodeError(": the binary value (B) is not base64") from None
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    # boto3's Binary wraps the bytes.
    if isinstance(getattr(value, "value", None), bytes):
        return bytes(value.value)
    raise DecodeError(f": {shorten(value)} is not binary (B)")


def _bool(value: Any) -> bool:
    if type(value) is not bool:
        raise DecodeError(f": {shorten(value)} is not true or false (BOOL)")
    return value


def _null(value: Any) -> None:
    return None


READERS: Final[Mapping[Any, Callable[[Any], Any]]] = {
    "S": _text,
    "N": _number,
    "B": _binary,
    "SS": _texts,
    "NS": _numbers,
    "BS": _binaries,
    "M": _map,
    "L": _list,
    "BOOL": _bool,
    "NULL": _null,
}


def _untyped(value: Any) -> DecodeError:
    return DecodeError(f": {shorten(value)} is not a typed DynamoDB value")


def shorten(value: Any) -> str:
    """Describe a value by type and size, never by content: the text goes to logs."""
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    return f"a value of type {type(value).__name__}"
