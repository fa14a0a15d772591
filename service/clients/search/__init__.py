"""The client of the search server. opensearch-py is imported only if a request needs it."""

from __future__ import annotations

from .request_signing import Signer
from .search_client import SearchClient

__all__ = ["SearchClient", "Signer"]
