"""Handlers of SIGINT (Ctrl-C) and SIGTERM that request a stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType


@contextmanager
def stops(stopping: Event) -> Iterator[None]:
    """Set `stopping` on SIGINT and SIGTERM within the block. Restore the previous handlers after it."""

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
