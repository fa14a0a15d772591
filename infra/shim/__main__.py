"""`python -m infra.shim run|up|invoke`: the service, or only its surroundings, on this machine."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from .terminal import in_foreground


def main(arguments: Sequence[str]) -> int:
    """Runs one command; Ctrl-C ends it well at any moment, also before there is anything to stop."""
    name, *words = arguments or [""]
    try:
        with in_foreground():
            from .commands import run_command  # slow: from here on Ctrl-C is ours

            return run_command(name, words)
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # the reader of our output is gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
