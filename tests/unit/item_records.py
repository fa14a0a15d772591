"""Records of items, the current items of their table, and the items that routes wrote."""

from __future__ import annotations

from typing import Any

from builders import stream_record
from fakes import NOW, Bench, Truth

from service.model.serializer import typed

HOUR_AGO = NOW - 3600


def truth(**items: int) -> Truth:
    return Truth({name: typed({"id": name, "n": number}) for name, number in items.items()})


def record(name: str = "a", number: int = 1, **rest: Any) -> Any:
    sequence = f"{number}00000000000000000000"
    return stream_record(new={"id": name, "n": number}, sequence=sequence, **rest)


def items(bench: Bench) -> list[Any]:
    return [write.action for write in bench.table.sent]
