"""A large batch in parts: routes are asked about one while the search server works on the one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..model import Undecodable
from .route_calls import Task

FIRST: Final = 5
"""What part of a request's most actions the first one has: nothing is done beside the making of it."""


def parts_of(tasks: Sequence[Task], most: int) -> list[Sequence[Task]]:
    """The tasks in parts of about `most` items or objects, where there are enough to be worth a request more.

    Those of one item or object stay together and in order, so that of the writes to one document only the newest
    is sent, and nothing overtakes what has to come again.
    """
    if len(tasks) <= most // 2:
        return [tasks]
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
