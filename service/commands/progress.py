"""Progress of a long command on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

EVERY: Final = 10.0
"""Seconds between two plain lines."""


@contextmanager
def progress(
    what: str, unit: str, total: int | None = None, silent: bool = False
) -> Iterator[Callable[[int], None]]:
    """Show progress; yields a thread-safe function that adds to the count.

    `what` names the work, `unit` the things that are counted (plural). `total` is their number, None if it is not
    known. With `silent`, nothing is shown.
    """
    if silent:
        yield lambda more: None
    elif sys.stderr.isatty() and (bar := _bar()) is not None:
        with bar:
            task = bar.add_task(what, total=total, unit=unit)
            yield lambda more: bar.advance(task, more)
    else:
        lines = Lines(what, unit, total, lambda line: print(line, file=sys.stderr, flush=True))
        yield lines.advance
        lines.end()


@dataclass
class Lines:
    """Progress as lines of text: one every ten seconds, and one at the end."""

    what: str
    unit: str
    total: int | None
    write: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _lock: Lock = field(default_factory=Lock)
    _done: int = 0

    def __post_init__(self) -> None:
        self._began = self._reported_at = self.clock()

    def advance(self, more: int) -> None:
        with self._lock:
            self._done += more
            now = self.clock()
            if now - self._reported_at >= EVERY:
                self._reported_at = now
                self.write(self._line(now))

    def end(self) -> None:
        self.write(self._line(self.clock()))

    def _line(self, now: float) -> str:
        seconds = now - self._began
        rate = self._done / seconds if seconds > 0 else 0.0
        parts = [f"{self._done:,} {self.unit}", f"{rate:,.0f}/s"]
        if self.total and rate and self._done < self.total:
            parts.append(f"{(self.total - self._done) / rate:.0f} s left")
        return f"{self.what}: {', '.join(parts)}"


def _bar() -> Any:
    """Return a progress bar of rich; None if rich is not installed (pip install streamdex[operations])."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    except ImportError:
        return None

    class Speed(ProgressColumn):
        def render(self, task: Task) -> str:
            return f"{task.speed:,.0f}/s" if task.speed else ""

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} {task.fields[unit]}"),
        Speed(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
