"""Count how often an index was missing.

A deleted index, or one that a new server does not have, starts empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from threading import Lock

from .alias_targets import Target


class Absences:
    """Count how often this process found each index missing. Threads share it.

    An index that stays missing counts once, until it exists again.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._missing: set[str] = set()
        self._existing: dict[str, frozenset[str]] = {}
        self._times: Counter[str] = Counter()

    def note(self, targets: Mapping[str, Target]) -> None:
        """Record which of the indices are missing now."""
        with self._lock:
            missing = {name for name, target in targets.items() if not target.live}
            self._times.update(missing - self._missing)
            self._missing = (self._missing - set(targets)) | missing

    def note_pattern(self, pattern: str, existing: Iterable[str]) -> None:
        """Record which indices of a pattern exist now.

        One that existed before and is missing now counts, and so does a pattern that had no index at first.
        """
        with self._lock:
            now = frozenset(existing)
            before = self._existing.get(pattern)
            self._times[pattern] += not now if before is None else not before <= now
            self._existing[pattern] = now

    def times(self, names: Iterable[str]) -> Mapping[str, int]:
        """Return how often each index was missing."""
        with self._lock:
            return {name: self._times[name] for name in names}
