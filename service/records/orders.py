"""A part of a backfill that waits in a queue: which part it is, and how far it was worked off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Self

from ..errors import DecodeError
from .undecodable import Undecodable

FORMAT: Final = 1
MARK: Final = "streamdex-part"
"""What an order has its format number under."""


@dataclass(frozen=True)
class Order:
    """What is to be read from `after` on, and to whom it is handed.

    `table` is the one as it exists, `routes` those that load it, `queue` the one that what is left goes back to.
    Either `segment` of `segments` is meant, read with `units` a second at the most (0 for as fast as it goes), or
    the data file `file` of an export of the table with the ARN `export`, made at `time` in Unix seconds.
    `into` is an index that is filled in place of `index`; "" for the one that is there.
    """

    table: str
    routes: tuple[str, ...]
    queue: str
    segment: int = 0
    segments: int = 0
    units: float = 0.0
    file: str = ""
    export: str = ""
    time: float | None = None
    index: str = ""
    into: str = ""
    after: str = ""

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> Self:
        """Raises DecodeError for one that is not as `payload` makes it."""
        if payload.get(MARK) != FORMAT:
            raise DecodeError(f"a part of a backfill in format {payload.get(MARK)!r}: this release knows {FORMAT}")
        known = {one.name for one in fields(cls)}
        try:
            made = cls(**{name: value for name, value in payload.items() if name in known})
            return replace(made, routes=tuple(made.routes))
        except TypeError as error:
            raise DecodeError(f"a part of a backfill that is not whole: {error}") from None

    @property
    def payload(self) -> dict[str, Any]:
        return {MARK: FORMAT, **asdict(self)}


@dataclass(frozen=True, slots=True)
class OrderRecord(Undecodable):
    """An order among records. Who knows nothing of orders cannot dispatch it: then it is kept, like all that
    cannot be read."""

    @property
    def order(self) -> Order:
        """Raises DecodeError."""
        return Order.read(self.raw)


NOT_HERE: Final = "a part of a backfill: only a service that reads its queue works it off"
