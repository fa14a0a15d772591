"""How large bulk requests are: smaller when the server is busy or refuses them, then larger again."""

from __future__ import annotations

from threading import Lock
from typing import Final

LEAST_BYTES: Final = 1024
STEPS: Final = 10
"""Good answers after which a size is back from next to nothing to its most."""


class Pace:
    """The most actions and bytes of the next request. Threads share it."""

    def __init__(self, most_actions: int, most_bytes: int):
        self._most_actions = most_actions
        self._most_bytes = most_bytes
        self.actions = most_actions
        self.bytes = most_bytes
        self._lock = Lock()

    def busy(self) -> None:
        """Halve the actions: the server turned away work (429)."""
        with self._lock:
            self.actions = max(self.actions // 2, 1)

    def too_large(self, size: int) -> None:
        """Halve the bytes: a request of `size` bytes was refused for its size (413)."""
        with self._lock:
            self.bytes = max(min(self.bytes, size) // 2, LEAST_BYTES)

    def good(self) -> None:
        """Grow by a step: a request was answered well."""
        with self._lock:
            self.actions = grown(self.actions, self._most_actions)
            self.bytes = grown(self.bytes, self._most_bytes)


def grown(size: int, most: int) -> int:
    """Return a size that is a step larger, and `most` at the most."""
    return min(size + most // STEPS + 1, most)
