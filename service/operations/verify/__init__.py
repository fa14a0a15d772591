"""Whether indices and tables agree, and how they are made to."""

from __future__ import annotations

from .findings import Finding, Kind
from .verify import Manner, Patience, Verification, Verified, verify

__all__ = ["Finding", "Kind", "Manner", "Patience", "Verification", "Verified", "verify"]
