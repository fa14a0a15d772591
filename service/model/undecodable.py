"""Records that no route can take: kept whole, so that nothing is lost."""

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

    @property
    def verdict(self) -> str:
        """Why it becomes a dead letter."""
        return f"undecodable: {self.reason}"


@dataclass(frozen=True, slots=True)
class Refused(Undecodable):
    """A message that could be read and is not accepted from where it came, or not as it is."""

    @property
    def verdict(self) -> str:
        return self.reason
