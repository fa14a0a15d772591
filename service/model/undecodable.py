"""Records that no route can process. They are kept complete for the dead letter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A record that cannot be decoded: the raw record, the reason, and its identifier at the source."""

    raw: Any
    reason: str
    source: str = ""
    identifier: str = ""
    created: ClassVar[float | None] = None

    @property
    def verdict(self) -> str:
        """The reason in the dead letter."""
        return f"undecodable: {self.reason}"


@dataclass(frozen=True, slots=True)
class Refused(Undecodable):
    """A message that is readable but not accepted, because of its source or its content."""

    @property
    def verdict(self) -> str:
        return self.reason
