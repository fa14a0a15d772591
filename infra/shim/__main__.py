"""`python -m infra.shim run|up|invoke`: run the service, or only its servers, on this machine."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from .terminal import in_foreground


def main(arguments: Sequence[str]) -> int:
    """Run one command, and return its exit code. Ctrl-C ends it with exit code 0 at any moment."""
    name, *words = arguments or [""]
    try:
        with in_foreground():
            from .commands import run_command  # slow to import; Ctrl-C is already handled here

            return run_command(name, words)
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # the reader of our output has exited, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
