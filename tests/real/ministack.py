"""MiniStack from PyPI, in its own virtual environment, because it pins an older botocore than this project."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers import CACHE, process

from infra.shim.probes import emulator_at, free_port

VERSION = "1.5.33"

OURS = ("AWS_", "SEARCH_", "STREAMDEX_")
"""Prefixes of variables that the functions of MiniStack would inherit."""


@contextmanager
def ministack() -> Iterator[str]:
    """Run MiniStack on a free port of this machine, empty. Yield its URL."""
    program, port = installed() / "bin/ministack", free_port()
    unset = [word for name in os.environ if name.startswith(OURS) for word in ("-u", name)]
    bound = [f"GATEWAY_PORT={port}", "BIND_HOST=127.0.0.1", "IOT_MTLS_ENABLED=0"]
    url = f"http://127.0.0.1:{port}"
    with (
        tempfile.TemporaryDirectory(prefix="streamdex-run-") as run,
        process(["env", *unset, *bound, str(program)], Path(run), lambda: bool(emulator_at(url)), as_root=True),
    ):
        yield url


def installed() -> Path:
    """Return the environment that has MiniStack. One process creates it, while others wait."""
    home = CACHE / f"ministack-{VERSION}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "ministack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "ready").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
            subprocess.run([str(home / "bin/pip"), "install", "--quiet", f"ministack=={VERSION}"], check=True)
            (home / "ready").touch()
    return home
