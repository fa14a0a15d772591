"""Limit the size of bulk requests: smaller if the server is busy or refuses them, then larger again."""

from __future__ import annotations

from threading import Lock
from typing import Final

LEAST_BYTES: Final = 1024
STEPS: Final = 10
"""Successful answers after which a size has grown from almost nothing to its maximum."""


class BulkSize:
    """The maximum actions and bytes of the next request. Threads share it."""

    def __init__(self, most_actions: int, most_bytes: int):
        self._most_actions = most_actions
        self._most_bytes = most_bytes
        self.actions = most_actions
        self.bytes = most_bytes
        self._lock = Lock()

    def busy(self) -> None:
        """Halve the actions, after the server refused work (429)."""
        with self._lock:
            self.actions = max(self.actions // 2, 1)

    def too_large(self, size: int) -> None:
        """Halve the bytes, after a request of `size` bytes was too large (413)."""
        with self._lock:
            self.bytes = max(min(self.bytes, size) // 2, LEAST_BYTES)

    def good(self) -> None:
        """Grow both limits by a step, after a successful request."""
        with self._lock:
            self.actions = grown(self.actions, self._most_actions)
            self.bytes = grown(self.bytes, self._most_bytes)


def grown(size: int, most: int) -> int:
    """Return a size that is one step larger, at most `most`."""
    return min(size + most // STEPS + 1, most)
