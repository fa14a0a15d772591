"""Compare tables with their indices, and repair documents that differ."""

from __future__ import annotations

from .findings import Finding, Kind
from .manner import Manner, Patience
from .verify import Verification, Verified, verify

__all__ = ["Finding", "Kind", "Manner", "Patience", "Verification", "Verified", "verify"]
