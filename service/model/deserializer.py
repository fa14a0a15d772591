"""boto3's deserializer, faster, and right where it is not.

boto3's own raises `Rounded` on numbers with more than 38 digits of which the last are zeros, and takes base64 text
for an error. Importing this module imports all of boto3: what only wants to read values takes `typed`.
"""

from __future__ import annotations

from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from .dynamodb_json import read_item, read_value


class Deserializer(TypeDeserializer):  # type: ignore[misc]  # boto3 has no types
    """Stands in wherever a TypeDeserializer is wanted."""

    def deserialize(self, value: Any) -> Any:
        """One typed value: `deserialize({"N": "1"})` is 1. Raises DecodeError."""
        return read_value(value)

    def item(self, image: Any) -> dict[str, Any]:
        """A whole item. Raises DecodeError with the path of the attribute that cannot be read."""
        return read_item(image)
