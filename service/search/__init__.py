"""The search server's client: opensearch-py's, which is loaded once more is wanted than what records need."""

from __future__ import annotations

from .client import SearchClient
from .signing import Signer

__all__ = ["SearchClient", "Signer"]
