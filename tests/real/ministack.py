"""MiniStack from PyPI, in an environment of its own: it pins an older botocore than ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from servers import CACHE, process

from infra.shim.probes import emulator_at, free_port

VERSION = "1.5.33"


@contextmanager
def ministack() -> Iterator[str]:
    """MiniStack on a free port of this machine, empty; yields its address."""
    home, run, port = CACHE / f"ministack-{VERSION}", CACHE / "ministack-run", free_port()
    if not (home / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run([str(home / "bin/pip"), "install", "--quiet", f"ministack=={VERSION}"], check=True)
        (home / "ready").touch()
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir()
    bound = [f"GATEWAY_PORT={port}", "BIND_HOST=127.0.0.1", "IOT_MTLS_ENABLED=0"]
    url = f"http://127.0.0.1:{port}"
    with process(["env", *bound, str(home / "bin/ministack")], run, lambda: bool(emulator_at(url)), as_root=True):
        yield url
