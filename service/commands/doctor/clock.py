"""Compare the clocks of servers with this machine's clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Final

from .findings import ERROR, WARNING, Finding

CLOSE: Final = 60.0
"""Tolerated difference in seconds. The `Date` header has whole seconds, and the answer takes time to arrive."""

REFUSED: Final = 300.0
"""Seconds after which AWS refuses a signature ("Troubleshooting SigV4 signed requests", IAM User Guide)."""


class Clock:
    """The clock differences of servers, from the `Date` header of their answers."""

    def __init__(self, now: Callable[[], float] = time.time):
        self._now = now
        self._ahead: dict[str, float] = {}

    def hear(self, who: str, date: str | None) -> None:
        """Record the `Date` header of an answer just received. Ignores None and invalid dates."""
        try:
            said = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        self._ahead.setdefault(who, said - self._now())

    def findings(self) -> Iterator[Finding]:
        for who, ahead in self._ahead.items():
            if abs(ahead) > CLOSE:
                direction = "ahead of" if ahead > 0 else "behind"
                yield Finding(
                    "clock",
                    who,
                    f"its clock is {abs(ahead):.0f} s {direction} this machine's clock",
                    "synchronize this machine's clock (NTP): AWS rejects signatures that are more than five"
                    " minutes off, and the service computes the age of records from it",
                    ERROR if abs(ahead) > REFUSED else WARNING,
                )
