"""Findings of the doctor, and the exception that ends a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ERROR: Final = "error"
"""Records would fail, block the stream, or make an index wrong."""

WARNING: Final = "warning"
"""It works now and may cause a problem later."""

NOTE: Final = "note"
"""No known problem: something could not be checked, and why."""


@dataclass(frozen=True)
class Finding:
    """A problem of `subject` (such as "table images") and its remedy."""

    topic: str
    subject: str
    problem: str
    remedy: str
    severity: str = ERROR


def missing(topic: str, subject: str, settings: str) -> Finding:
    """Return the finding for a resource that does not exist. `settings` are those that may be wrong."""
    remedy = f"create it, map its name in STREAMDEX_NAMES, or correct {settings}"
    return Finding(topic, subject, "it does not exist", remedy)


class Trouble(Exception):
    """The end of the check of one subject, with the finding that says why."""

    def __init__(self, finding: Finding):
        super().__init__(finding.problem)
        self.finding = finding
