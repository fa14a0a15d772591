"""A faster TypeDeserializer that also reads values on which boto3's fails.

boto3's deserializer raises `Rounded` on numbers with more than 38 digits that end in zeros, and rejects base64
text. This module imports all of boto3. To read values only, use `dynamodb_json`.
"""

from __future__ import annotations

from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from .dynamodb_json import read_item, read_value


class Deserializer(TypeDeserializer):  # type: ignore[misc]  # boto3 has no types
    """A TypeDeserializer for code that requires that class."""

    def deserialize(self, value: Any) -> Any:
        """Return the Python value of one typed value: {"N": "1"} is 1. Raises DecodeError."""
        return read_value(value)

    def item(self, image: Any) -> dict[str, Any]:
        """Return a whole item as Python values. Raises DecodeError with the path of the invalid attribute."""
        return read_item(image)
