"""Takes the terminal for ourselves, so that Ctrl-C reaches us and not `make` above us.

`make` ends with an error when it is interrupted, even where what it ran ended well.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def in_foreground() -> Iterator[None]:
    """Runs the block in a process group of our own that has the terminal; does nothing without a terminal."""
    try:
        terminal = sys.stdin.fileno()
        before = os.tcgetpgrp(terminal)
    except (AttributeError, OSError, ValueError):
        yield
        return
    if before != os.getpgrp() or os.getpid() == before:
        yield  # in the background, or the terminal's foreground process already
        return
    # A process that takes or gives back the terminal is stopped by SIGTTOU unless it ignores that. Ctrl-Z would
    # stop us alone, with nobody to notice.
    for number in (signal.SIGTTOU, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(terminal, before)
