"""The straight line itself: records to routes to sinks to outcomes, with no I/O of its own."""

from __future__ import annotations

from .contracts import Batch, Letter, LetterStore, Observer, Sink, Source, Write
from .dispatcher import Dispatcher
from .outcomes import Outcome, Report, Result

__all__ = [
    "Batch",
    "Dispatcher",
    "Letter",
    "LetterStore",
    "Observer",
    "Outcome",
    "Report",
    "Result",
    "Sink",
    "Source",
    "Write",
]
