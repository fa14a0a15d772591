"""Finding the one record that makes a request for many fail, when no answer names it.

Each record of such a request is a suspect. The next try sends the suspects apart from all others, in requests of a
FAN-th of the size that failed: three tries find one record among a thousand, and three requests fail for it. What
succeeds on the way is no suspect any longer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import groupby
from threading import Lock
from typing import Final, TypeVar

T = TypeVar("T")

FAN: Final = 32
"""Requests in place of one that failed: a request that hangs costs more than one that does not."""

MOST: Final = 20_000
"""Suspects that are remembered: a few megabytes."""


class Suspects:
    """Remembers from one delivery to the next in how large a request each suspect has failed. Thread-safe.

    The oldest are forgotten beyond `most`: they are found again.
    """

    def __init__(self, most: int = MOST):
        self._most = most
        self._failed: OrderedDict[int, tuple[int, int]] = OrderedDict()  # the size, and a number that grows
        self._failures = 0
        self._lock = Lock()

    def __bool__(self) -> bool:
        return bool(self._failed)

    def add(self, keys: Iterable[Hashable], size: int) -> None:
        """Suspect the records of a request of `size` records."""
        with self._lock:
            self._failures += 1
            for key in map(hash, keys):
                self._failed[key] = size, self._failures
                self._failed.move_to_end(key)
            while len(self._failed) > self._most:
                self._failed.popitem(last=False)

    def clear(self, keys: Iterable[Hashable]) -> None:
        """Suspect these records no longer: they are done."""
        with self._lock:
            for key in map(hash, keys):
                self._failed.pop(key, None)

    def size_of(self, key: Hashable) -> int:
        """Return the size of the smallest request that the record failed in; 0 for one that is no suspect."""
        return self._failed.get(hash(key), (0, 0))[0]

    def turn_of(self, key: Hashable) -> int:
        """Return a number that is higher for those that failed later: they let the others go first."""
        return self._failed.get(hash(key), (0, 0))[1]


def parts_of_suspects(suspects: Sequence[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield suspects in parts of a FAN-th of the size of the request that each failed in, the largest first."""
    for size, group in groupby(sorted(suspects, key=size_of, reverse=True), size_of):
        members, part = list(group), max(size // FAN, 1)
        for start in range(0, len(members), part):
            yield members[start : start + part]
