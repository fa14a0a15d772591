"""The speed of a replay: as fast as possible, or according to the times of the records."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...errors import SettingsError
from ...model import Record, Undecodable


@dataclass
class ReplayRate:
    """Delays between records, from their times divided by `speed`. Without `speed` there are no delays.

    Records that are due at the same time stay together. A record that is older than the one before it is due at
    once.
    """

    speed: float | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _offset: float | None = None

    def parts(self, records: Sequence[Record]) -> Iterator[list[Record]]:
        """Yield the records in order, in groups. Each group is yielded when it is due."""
        part: list[Record] = []
        for record in records:
            wait = self._wait(record)
            if wait > 0 and part:
                yield part
                part = []
                wait = self._wait(record)
            if wait > 0:
                self.sleep(wait)
            part.append(record)
        if part:
            yield part

    def _wait(self, record: Record) -> float:
        created = None if isinstance(record, Undecodable) else record.created
        if self.speed is None or created is None:
            return 0.0
        if self._offset is None:
            self._offset = self.clock() - created / self.speed
        return created / self.speed + self._offset - self.clock()


def speed_of(text: str) -> float | None:
    """Return the speed factor of a text such as `1x`, `10x` or `0.5x`; None for `max`. Raises SettingsError."""
    if text == "max":
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)x", text)
    if not found or float(found[1]) == 0:
        raise SettingsError(f"--speed must be max, or a multiple such as 1x or 10x, not {text!r}")
    return float(found[1])
