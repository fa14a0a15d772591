"""The straight line itself: records to routes to sinks to outcomes, with no I/O of its own."""

from __future__ import annotations

from .contracts import Batch, Dispatches, Lag, Letter, LetterStore, Sink, Sinks, Source, Write
from .dispatcher import Dispatcher
from .observers import SILENT, Dispatched, Observer, Observers, Request
from .outcomes import Outcome, Report, Result

__all__ = [
    "SILENT",
    "Batch",
    "Dispatched",
    "Dispatcher",
    "Dispatches",
    "Lag",
    "Letter",
    "LetterStore",
    "Observer",
    "Observers",
    "Outcome",
    "Report",
    "Request",
    "Result",
    "Sink",
    "Sinks",
    "Source",
    "Write",
]
