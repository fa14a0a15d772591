"""A delivery: records that a source hands to the dispatcher together, and what holds while they are processed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..deadline import NO_DEADLINE, Deadline
from ..model import Record
from .prefetch import Prefetch

Fence: TypeAlias = Callable[[], None]
"""A check that raises LeaseLost if another process may own the records now. Called before each write."""


def no_fence() -> None:
    """Allow every write: the records have no lease."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Records with the limits of their processing.

    - `source` is the name of their source in logs and metrics.
    - `deadline` bounds every request made for them, to any server.
    - `fence` is called before each write.
    - `redelivers` is True if the source redelivers what is not finished. Otherwise it becomes a dead letter.
    - `retry_time` limits the retries in seconds, like the setting of this name. With 0 each record is tried once.
    - `prefetch` is work that may overlap with a request to the search server. It is called at most once, and must
      not raise.
    - `invocation` is the Lambda context, which routes find as `context.parent`, or None.
    """

    records: Sequence[Record]
    source: str = ""
    deadline: Deadline = NO_DEADLINE
    fence: Fence = no_fence
    redelivers: bool = True
    retry_time: float = math.inf
    prefetch: Prefetch | None = None
    invocation: Any = None
