"""What an index that was made for a rebuild says of itself: how far it is, in its mapping's notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..context import Context

BUILDING: Final = "building"
BUILT: Final = "built"

_OURS: Final = "streamdex"


def meta_of(mapping: Mapping[str, Any], state: str) -> dict[str, Any]:
    """A mapping's own notes with the state of the index that has it, "" for none."""
    own = {name: value for name, value in mapping.get("_meta", {}).items() if name != _OURS}
    return {**own, _OURS: {"state": state}} if state else own


def mapping_of(context: Context, index: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = context.search.indices.get_mapping(index=index)[index].get("mappings", {})
    return found


def state_of(context: Context, index: str) -> str:
    """How far an index is that was made for a rebuild; "" for another."""
    return state_in(mapping_of(context, index))


def state_in(mapping: Mapping[str, Any]) -> str:
    """The same, by the index's mapping."""
    return str(mapping.get("_meta", {}).get(_OURS, {}).get("state", ""))


def put_state(context: Context, index: str, state: str) -> None:
    meta = meta_of(mapping_of(context, index), state)
    context.search.indices.put_mapping(index=index, body={"_meta": meta})


def uuid_of(context: Context, index: str) -> str:
    """What tells an index from another that had its name before."""
    return str(context.search.indices.get_settings(index=index)[index]["settings"]["index"]["uuid"])
