"""A backfill task, as a message of the task queue: what one worker reads, and how far it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Self

from ..errors import DecodeError
from .undecodable import Refused

FORMAT: Final = 1
MARK: Final = "streamdex-task"
"""The member that holds a task's format number."""

OLD_MARK: Final = "streamdex-part"
"""The tag of earlier releases."""

ONLY_ITS_QUEUE: Final = (
    "backfill tasks are accepted only from the queue that STREAMDEX_TASK_QUEUE names. If an operator sent it here,"
    " correct --enqueue or the setting and run the backfill again; if not, look at who may send (docs/security.md)"
)

NOT_HERE: Final = f"not accepted: {ONLY_ITS_QUEUE}"


def is_task(payload: Mapping[str, Any]) -> bool:
    return MARK in payload or OLD_MARK in payload


@dataclass(frozen=True)
class BackfillTask:
    """A part of a table or an export, from `after` on, and its routes. Check every member: anybody can write one.

    `table` is the existing name. A task is either `segment` of `segments` of a scan with at most `units` read
    capacity units a second (0: no limit), or the data file `file` of an export of the table with the ARN `export`,
    made at `time` (Unix seconds). `into` is an index that is filled in place of `index`, "" for none.
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
        """Return the task that a message holds, unchecked. Raises DecodeError for another format."""
        written = payload.get(MARK, payload.get(OLD_MARK))
        if type(written) is not int or written != FORMAT:
            raise DecodeError(f"a backfill task of another format: this release knows format {FORMAT}")
        known = {one.name for one in fields(cls)}
        try:
            made = cls(**{name: value for name, value in payload.items() if name in known})
            return replace(made, routes=tuple(made.routes))
        except TypeError:
            raise DecodeError("a backfill task without table and routes") from None

    @property
    def payload(self) -> dict[str, Any]:
        return {MARK: FORMAT, **asdict(self)}


@dataclass(frozen=True, slots=True)
class TaskRecord(Refused):
    """A backfill task among records. `queue` is the task queue that delivered it, "" for any other way: then it is
    not worked on, and becomes a dead letter."""

    queue: str = ""

    @property
    def task(self) -> BackfillTask:
        """Raises DecodeError."""
        return BackfillTask.read(self.raw)
