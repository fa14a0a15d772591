"""A record that cannot be read, kept whole so that nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Undecodable:
    """What came, why it cannot be read, and what its source calls it."""

    raw: Any
    reason: str
    source: str = ""
    identifier: str = ""
    created: ClassVar[float | None] = None
