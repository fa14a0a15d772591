"""Compare tables with their indices, and repair documents that differ."""

from __future__ import annotations

from .findings import Finding, Kind
from .options import VerifyOptions, VerifyPatience
from .verify import Verification, Verified

__all__ = ["Finding", "Kind", "Verification", "Verified", "VerifyOptions", "VerifyPatience"]
