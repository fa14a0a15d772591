"""DynamoDB's typed JSON to Python values: boto3's deserializer, faster, and right where it is not.

| DynamoDB   | Python                                                                       |
|------------|------------------------------------------------------------------------------|
| S          | str                                                                          |
| N          | int; float where a double written back is the same number; else Decimal      |
| B          | bytes, from bytes (boto3) and from base64 text (a Lambda event) alike        |
| SS, NS, BS | sorted list                                                                  |
| M, L       | dict, list                                                                   |
| BOOL, NULL | bool, None                                                                   |

boto3's own raises `Rounded` on numbers with more than 38 digits of which the last are zeros, and takes
base64 text for an error. Importing this module imports boto3: it is imported when first used.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from ..errors import DecodeError

# DynamoDB numbers reach from 1E-130 to 9.99…E+125 ("Supported data types", Developer Guide).
LARGEST_EXPONENT = 126
SMALLEST_EXPONENT = -170  # 1E-130 with 38 significant digits, and some


class Deserializer(TypeDeserializer):  # type: ignore[misc]  # boto3 has no types
    """`deserialize({"N": "1"})` is 1; `item({"id": {"S": "a"}})` is {"id": "a"}."""

    def __init__(self) -> None:
        self._by_tag: dict[str, Callable[[Any], Any]] = {
            "S": self._deserialize_s,
            "N": self._deserialize_n,
            "B": self._deserialize_b,
            "SS": self._deserialize_ss,
            "NS": self._deserialize_ns,
            "BS": self._deserialize_bs,
            "M": self._deserialize_m,
            "L": self._deserialize_l,
            "BOOL": self._deserialize_bool,
            "NULL": self._deserialize_null,
        }

    def item(self, image: Mapping[str, Any]) -> dict[str, Any]:
        """A whole item. Raises DecodeError with the path of the attribute that cannot be read."""
        return self._deserialize_m(image)

    def deserialize(self, value: Any) -> Any:
        """One typed value. Raises DecodeError."""
        try:
            ((tag, content),) = value.items()
            read = self._by_tag[tag]
        except (AttributeError, KeyError, TypeError, ValueError):
            raise DecodeError(f": {shorten(value)} is not a typed DynamoDB value") from None
        try:
            return read(content)
        except RecursionError:
            raise DecodeError(": nested too deeply") from None

    def _deserialize_s(self, value: Any) -> str:
        if type(value) is not str:
            raise DecodeError(f": {shorten(value)} is not text (S)")
        return value

    def _deserialize_n(self, value: Any) -> int | float | Decimal:
        if type(value) is not str:
            raise DecodeError(f": {shorten(value)} is not the text of a number (N)")
        return to_number(value)

    def _deserialize_b(self, value: Any) -> bytes:
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

    def _deserialize_ss(self, value: Any) -> list[str]:
        return sorted(self._each(value, self._deserialize_s))

    def _deserialize_ns(self, value: Any) -> list[int | float | Decimal]:
        return sorted(self._each(value, self._deserialize_n))

    def _deserialize_bs(self, value: Any) -> list[bytes]:
        return sorted(self._each(value, self._deserialize_b))

    def _deserialize_l(self, value: Any) -> list[Any]:
        return list(self._each(value, self.deserialize))

    def _deserialize_m(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise DecodeError(f": {shorten(value)} is not a map of attributes (M)")
        found = {}
        for name, typed in value.items():
            try:
                found[name] = self.deserialize(typed)
            except DecodeError as error:
                raise DecodeError(f".{name}{error}") from None
        return found

    def _deserialize_bool(self, value: Any) -> bool:
        if type(value) is not bool:
            raise DecodeError(f": {shorten(value)} is not true or false (BOOL)")
        return value

    def _deserialize_null(self, value: Any) -> None:
        return None

    def _each(self, value: Any, read: Callable[[Any], Any]) -> list[Any]:
        if not isinstance(value, list | tuple | set | frozenset):
            raise DecodeError(f": {shorten(value)} is not a list of values")
        found = []
        for position, member in enumerate(value):
            try:
                found.append(read(member))
            except DecodeError as error:
                raise DecodeError(f"[{position}]{error}") from None
        return found


def to_number(text: str) -> int | float | Decimal:
    """The number that `text` says: int, float where a double is exactly that when written, else Decimal."""
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
        raise DecodeError(f": {shorten(text)} is outside of what DynamoDB can hold (N)")
    if exact == exact.to_integral_value():
        return int(exact)
    double = float(exact)
    return double if Decimal(repr(double)) == exact else exact


def shorten(value: Any) -> str:
    """A value's kind and size, never its content: messages go to logs."""
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    return f"a value of type {type(value).__name__}"
