"""The pipeline: pass records to routes and actions to sinks, and report outcomes. It does no I/O itself."""

from __future__ import annotations

from ..model.outcomes import Outcome, Report, Result
from .delivery import Delivery, Task, Write
from .dispatcher import Dispatcher
from .observers import SILENT, Dispatched, Observer, Observers, Request
from .protocols import Batch, DeadLetter, DeadLetterStore, Dispatches, Lag, Sink, Sinks, Source

__all__ = [
    "SILENT",
    "Batch",
    "DeadLetter",
    "DeadLetterStore",
    "Delivery",
    "Dispatched",
    "Dispatcher",
    "Dispatches",
    "Lag",
    "Observer",
    "Observers",
    "Outcome",
    "Report",
    "Request",
    "Result",
    "Sink",
    "Sinks",
    "Source",
    "Task",
    "Write",
]
