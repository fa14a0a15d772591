"""How large bulk requests are: smaller when the server is busy or refuses them, then larger again."""

from __future__ import annotations

from typing import Final

LEAST_BYTES: Final = 1024
STEPS: Final = 10
"""Good answers after which a size is back from next to nothing to its most."""


class Pace:
    """The most actions and bytes of the next request. Threads share it; a lost update only costs a step."""

    def __init__(self, most_actions: int, most_bytes: int):
        self._most_actions = most_actions
        self._most_bytes = most_bytes
        self.actions = most_actions
        self.bytes = most_bytes

    def busy(self) -> None:
        """The server turned away work (429)."""
        self.actions = max(self.actions // 2, 1)

    def too_large(self, size: int) -> None:
        """A request of `size` bytes was refused for its size (413)."""
        self.bytes = max(min(self.bytes, size) // 2, LEAST_BYTES)

    def good(self) -> None:
        """A request was answered well."""
        if self.actions < self._most_actions:
            self.actions = min(self.actions + self._most_actions // STEPS + 1, self._most_actions)
        if self.bytes < self._most_bytes:
            self.bytes = min(self.bytes + self._most_bytes // STEPS + 1, self._most_bytes)
