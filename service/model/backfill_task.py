"""A backfill task: a task queue message with the data that one worker reads and its progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Self

from ..errors import DecodeError
from . import reindex_task
from .reindex_task import ReindexTask
from .undecodable import Refused

FORMAT: Final = 1
MARK: Final = "streamdex-task"
"""The key of a task's format number."""

OLD_MARK: Final = "streamdex-part"
"""The key that earlier releases used."""

ONLY_ITS_QUEUE: Final = (
    "backfill tasks are accepted only from the queue that STREAMDEX_TASK_QUEUE names. If an operator sent it here,"
    " correct --enqueue or the setting and run the backfill again. Otherwise check the permissions to send to this"
    " queue (docs/security.md)."
)

NOT_HERE: Final = f"not accepted: {ONLY_ITS_QUEUE}"


def is_task(payload: Mapping[str, Any]) -> bool:
    return MARK in payload or OLD_MARK in payload or reindex_task.MARK in payload


@dataclass(frozen=True)
class BackfillTask:
    """A partition of a table or an export, and its routes. Reading continues after the position `after`.

    Validate every field: anyone who may send to the queue can write a task.

    `table` is the table's actual name in DynamoDB. A task is one of:

    - `segment` of `segments` of a scan, with at most `units` read capacity units per second (0: no limit)
    - the data file `file` of the export with the ARN `export`, taken at `time` (Unix seconds)

    `into` is the index to fill instead of `index`, or "".
    """

    table: str
    routes: tuple[str, ...]
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
        """Return the unvalidated task. Raises DecodeError for an unknown format or without table and routes."""
        written = payload.get(MARK, payload.get(OLD_MARK))
        if type(written) is not int or written != FORMAT:
            raise DecodeError(f"unknown format of a backfill task: this release supports format {FORMAT}")
        known = {one.name for one in fields(cls)}
        try:
            made = cls(**{name: value for name, value in payload.items() if name in known})
            return replace(made, routes=tuple(made.routes))
        except TypeError:
            raise DecodeError("the backfill task has no table or no routes") from None

    @property
    def payload(self) -> dict[str, Any]:
        return {MARK: FORMAT, **asdict(self)}


@dataclass(frozen=True, slots=True)
class TaskRecord(Refused):
    """A task in a batch of records.

    `queue` is the task queue that delivered it. A task from any other source ("") becomes a dead letter.
    """

    queue: str = ""

    @property
    def task(self) -> BackfillTask | ReindexTask:
        """The decoded task. Raises DecodeError."""
        return (ReindexTask if reindex_task.MARK in self.raw else BackfillTask).read(self.raw)
