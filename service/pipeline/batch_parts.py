"""Split a large batch, so that routes process one part while the search server writes the previous part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..model import Undecodable
from .delivery import Task

FIRST: Final = 5
"""The first part has 1/FIRST of a request's maximum actions, because no request overlaps with its preparation."""


def parts_of(tasks: Sequence[Task], most: int) -> list[Sequence[Task]]:
    """Split the tasks into parts of about `most` items or objects.

    The tasks of one item or object stay together and in order. So only the newest write to a document is sent, and
    no record overtakes an earlier one that is retried.
    """
    first = max(most // FIRST, 1)
    parts: list[list[Task]] = [[]]
    part_of: dict[tuple[str, str], list[Task]] = {}
    room = first
    for task in tasks:
        record = task.record
        subject = ("", record.identifier) if isinstance(record, Undecodable) else record.subject
        part = part_of.get(subject)
        if part is None:
            if not room:
                parts.append([])
                room = max(most - first, 1) if len(parts) == 2 else most
            room -= 1
            part = part_of[subject] = parts[-1]
        part.append(task)
    return list(parts)
