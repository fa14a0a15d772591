"""Masks: replacements for attribute values that a recording must not contain."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from ...errors import SettingsError

TEXT, BASE64, NUMBER = "***", "Kioq", "0"

MASKS: Final[Mapping[str, Any]] = {
    "S": TEXT,
    "N": NUMBER,
    "B": BASE64,
    "SS": [TEXT],
    "NS": [NUMBER],
    "BS": [BASE64],
    "BOOL": False,
    "M": {},
    "L": [],
}
"""The replacement value for each DynamoDB type. It keeps the type, so that routes find the type they expect."""


class Masks:
    """Mask attributes of images. `paths` are attribute names, dotted within maps and within maps in lists."""

    def __init__(self, paths: Sequence[str] = ()):
        self.paths = paths

    def check(self, keys: Collection[str], owner: str) -> None:
        """Raise SettingsError for a key attribute: masked keys would mix up the records of different items."""
        for path in self.paths:
            if path in keys:
                raise SettingsError(f"record_mask: cannot mask {path}: it is in the key of {owner}")

    def masked(self, image: Any) -> Any:
        """Return a typed item with masked attributes; an empty item if the image is not a mapping."""
        if not isinstance(image, Mapping):
            return {}
        for path in self.paths:
            image = _attributes(image, path)
        return image


def _attributes(attributes: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    found = dict(attributes)
    for name, value in attributes.items():
        if name == path:
            found[name] = mask(value)
        elif path.startswith(f"{name}."):
            found[name] = _within(value, path[len(name) + 1 :])
    return found


def _within(value: Any, path: str) -> Any:
    if not isinstance(value, Mapping):
        return value
    if isinstance(value.get("M"), Mapping):
        return {"M": _attributes(value["M"], path)}
    if isinstance(value.get("L"), list | tuple):
        return {"L": [_within(member, path) for member in value["L"]]}
    return value


def mask(value: Any) -> dict[str, Any]:
    """Return the replacement of a typed value; NULL for a value of no known type."""
    kinds = [kind for kind in value if kind in MASKS] if isinstance(value, Mapping) else []
    return {kinds[0]: MASKS[kinds[0]]} if len(kinds) == 1 else {"NULL": True}
