"""Take over the terminal, so that Ctrl-C reaches this process and not the `make` that started it.

`make` exits with an error if it is interrupted, even if its command exits with 0.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def in_foreground() -> Iterator[None]:
    """Run the block in a new foreground process group. Without a terminal, do nothing."""
    try:
        terminal = sys.stdin.fileno()
        before = os.tcgetpgrp(terminal)
    except (AttributeError, OSError, ValueError):
        yield
        return
    if before != os.getpgrp() or os.getpid() == before:
        yield  # in the background, or the terminal's foreground process already
        return
    # A process that takes or returns the terminal is stopped by SIGTTOU unless it ignores that signal. Ctrl-Z
    # would stop this process alone, and `make` would not notice.
    for number in (signal.SIGTTOU, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(terminal, before)
