"""The request ids that this sandbox of a Lambda has seen, for those who want no automatic retries."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MOST: Final = 1000
"""Ids that are remembered: a retry comes within minutes ("Asynchronous invocation", Lambda Developer Guide)."""


class Repeats:
    """Knows the latest ids; `most` of them."""

    def __init__(self, most: int = MOST):
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._most = most

    def has_seen(self, request_id: str) -> bool:
        """Whether the id was asked about before; from now on it was. One that is "" is never a repeat."""
        if not request_id or request_id in self._seen:
            return bool(request_id)
        self._seen[request_id] = None
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return False
