"""The client of the search server. opensearch-py is imported only for more than bulk requests."""

from __future__ import annotations

from .request_signing import Signer
from .search_client import SearchClient

__all__ = ["SearchClient", "Signer"]
