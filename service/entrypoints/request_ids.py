"""The request ids that this Lambda sandbox has seen. The setting `drop_repeats` uses them to drop retries."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MOST: Final = 1000
"""Remembered ids, at most. Retries follow within minutes ("Asynchronous invocation", Lambda Developer Guide)."""


class Repeats:
    """The latest `most` request ids."""

    def __init__(self, most: int = MOST):
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._most = most

    def has_seen(self, request_id: str) -> bool:
        """True if this method was called with the id before. An empty id is never a repeat."""
        if not request_id or request_id in self._seen:
            return bool(request_id)
        self._seen[request_id] = None
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return False
