"""Giving up: on what would hold up the rest for ever, and on what nobody delivers again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from ..errors import Halt
from ..records import Record
from ..routing import Delete
from .contracts import DocumentSink, Write
from .outcomes import Lasting, Outcome
from .planning import SEARCHES, Task

PROBE: Final = "~probe"
"""The id of no document: what follows a `~` in an id is one of n, b, h, ~ and |."""

TRIES: Final = 3
"""Failures in a row, within one delivery, below which nothing is given up."""

_SUCCEEDED: Final = (Outcome.APPLIED, Outcome.STALE)


def surrender(
    tasks: Sequence[Task], search: DocumentSink, age: Callable[[Record], float], retry_for: float
) -> None:
    """Rejects the tasks that a 5xx keeps from being done and that are older than `retry_for` seconds.

    Only while others succeed, for else the server itself is in trouble: other writes of the batch to the same
    index or, where there is none, a delete of what is not there. A batch may hold nothing else, as when Lambda has
    bisected it. A record that does not say when it was made is never old. Raises Halt.
    """
    stuck = [
        task for task in tasks if (task.result.status or 0) >= 500 and retry_for < age(task.record) < math.inf
    ]
    good = [task for task in tasks if task.result.outcome in _SUCCEEDED]
    probed = {write.target: True for task in good for write in task.writes}
    for task in stuck:
        beside = not task.writes and any(other.bound is task.bound for other in good)
        if beside or any(_takes_another(write, search, probed) for write in task.writes):
            task.results = [task.result.given_up(f"for longer than {retry_for:.0f} s, while others succeed")]


def conclude(tasks: Sequence[Task], tries: int) -> None:
    """End what failed in every try of this delivery, where its result says what it then becomes.

    What may be the document's own fault is rejected after TRIES failures. An answer that is not a search server's
    is nobody's fault: it raises Halt, unless the server took other writes.
    """
    lasting = [task for task in tasks if task.result.lasting is not None]
    for task in lasting:
        if task.result.lasting is Lasting.REJECT and tries >= TRIES:
            task.results = [task.result.given_up(f"after {tries} tries")]
    halting = next((task for task in lasting if task.result.lasting is Lasting.HALT), None)
    written = (task for task in tasks if task.result.outcome in _SUCCEEDED)
    if halting and not any(isinstance(write.action, SEARCHES) for task in written for write in task.writes):
        raise Halt(halting.result.summary)


def exhaust(tasks: Sequence[Task]) -> None:
    """Rejects all that is not done: nobody delivers it again."""
    for task in tasks:
        if not task.result.outcome.done:
            task.results = [task.result.given_up("exhausted")]


def _takes_another(write: Write, search: DocumentSink, probed: dict[str, bool]) -> bool:
    """Whether an index takes another write than this; asked once for each index."""
    if write.target not in probed:
        if not isinstance(write.action, SEARCHES):
            return False
        lowest = None if write.version is None else 1
        (result,) = search.write([replace(write, action=Delete(), id=PROBE, version=lowest)])
        probed[write.target] = result.outcome in _SUCCEEDED
    return probed[write.target]
