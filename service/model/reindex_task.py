"""A reindex task: a task queue message with documents that have to be made again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from ..errors import DecodeError

FORMAT: Final = 1
MARK: Final = "streamdex-reindex"
"""The key of a task's format number."""


@dataclass(frozen=True)
class ReindexTask:
    """Documents of one route to make again, on behalf of a record.

    Validate every field: anyone who may send to the queue can write a task.

    `keys` are keys of the route's table in DynamoDB JSON. `created` (Unix seconds, or None) and `sequence` are
    those of the record, from which the version of the writes is made.
    """

    route: str
    keys: tuple[Mapping[str, Any], ...]
    created: float | None = None
    sequence: str = ""

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> Self:
        """Return the unvalidated task. Raises DecodeError for an unknown format or a missing field."""
        if type(payload.get(MARK)) is not int or payload[MARK] != FORMAT:
            raise DecodeError(f"unknown format of a reindex task: this release supports format {FORMAT}")
        try:
            route, keys = payload["route"], tuple(payload["keys"])
        except (KeyError, TypeError):
            raise DecodeError("the reindex task has no route or no keys") from None
        return cls(route, keys, payload.get("created"), payload.get("sequence", ""))

    @property
    def payload(self) -> dict[str, Any]:
        return {MARK: FORMAT, **asdict(self)}
