"""Attributes whose values a recording does not hold."""

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
"""What stands for a value of each of DynamoDB's types: of the same type, so that a route finds what it expects."""


class Masks:
    """Masks attributes of images. `paths` are their names, dotted for what is in maps, also in those of lists."""

    def __init__(self, paths: Sequence[str] = ()):
        self.paths = paths

    def check(self, keys: Collection[str], owner: str) -> None:
        """Raises SettingsError for a key attribute: the records of an item could not be told from another's."""
        for path in self.paths:
            if path in keys:
                raise SettingsError(f"record_mask: {path} is in the key of {owner}, which cannot be masked")

    def masked(self, image: Any) -> Any:
        """A typed item, masked; an empty one for what is none."""
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
    """What stands for a typed value; NULL for what has none of the types."""
    kinds = [kind for kind in value if kind in MASKS] if isinstance(value, Mapping) else []
    return {kinds[0]: MASKS[kinds[0]]} if len(kinds) == 1 else {"NULL": True}
