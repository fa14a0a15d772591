"""Find the record that makes a request for many records fail, if the response does not identify it.

Each record of a failed request is a suspect. The next try sends suspects separately from all others, in
requests of 1/FAN of the failed size. Three tries with three failing requests find one record among a thousand.
A record that succeeds is no longer a suspect.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import groupby
from threading import Lock
from typing import Final, TypeVar

T = TypeVar("T")

FAN: Final = 32
"""Number of requests that replace a failed one. It is high because a request that hangs is the most expensive."""

MOST: Final = 20_000
"""Maximum number of remembered suspects: a few megabytes."""


class Suspects:
    """The suspects, kept between deliveries. Thread-safe.

    `failed` has the size and the number of the failed request of each suspect. Beyond `most` suspects the oldest
    are dropped. Their next failure adds them again.
    """

    def __init__(self, most: int = MOST):
        self._most = most
        self.failed: OrderedDict[int, tuple[int, int]] = OrderedDict()
        self._failures = 0
        self._lock = Lock()

    def add(self, keys: Iterable[Hashable], size: int) -> None:
        """Add the records of a failed request of `size` records."""
        with self._lock:
            self._failures += 1
            for key in map(hash, keys):
                self.failed[key] = size, self._failures
                self.failed.move_to_end(key)
            while len(self.failed) > self._most:
                self.failed.popitem(last=False)

    def clear(self, keys: Iterable[Hashable]) -> None:
        """Remove records that succeeded or were acknowledged."""
        with self._lock:
            for key in map(hash, keys):
                self.failed.pop(key, None)

    def size_of(self, key: Hashable) -> int:
        """Return the size of the last request that failed with this record, or 0 if it is not a suspect."""
        return self.failed.get(hash(key), (0, 0))[0]

    def turn_of(self, key: Hashable) -> int:
        """Return a sort key by which suspects that failed later come later; 0 if it is not a suspect."""
        return self.failed.get(hash(key), (0, 0))[1]


def parts_of_suspects(suspects: Sequence[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield suspects in groups of 1/FAN of the size of their failed request, largest first."""
    for size, group in groupby(sorted(suspects, key=size_of, reverse=True), size_of):
        members, part = list(group), max(size // FAN, 1)
        for start in range(0, len(members), part):
            yield members[start : start + part]
