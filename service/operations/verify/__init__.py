"""Whether indices and tables agree, and how they are made to."""

from __future__ import annotations

from .findings import Finding, Kind
from .manner import Manner, Patience
from .verify import Verification, Verified, verify

__all__ = ["Finding", "Kind", "Manner", "Patience", "Verification", "Verified", "verify"]
