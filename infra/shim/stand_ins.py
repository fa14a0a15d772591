"""Starts the stand-ins as children that cannot outlive us: each ends when its stdin does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from service.errors import SettingsError, Unreachable

from .probes import emulator_at, search_server_at
from .settings import HOST

START_TIMEOUT = 60.0
STOP_TIMEOUT = 2.0
"""Seconds."""


@contextmanager
def embedded_aws(port: int) -> Iterator[str]:
    """moto's server on a port of this machine, until the block ends; yields its address."""
    url = f"http://{HOST}:{port}"
    with child([sys.executable, "-m", "infra.shim.aws", str(port)], "the AWS stand-in", lambda: emulator_at(url)):
        yield url


@contextmanager
def embedded_search(port: int) -> Iterator[str]:
    """osmem on a port of this machine, until the block ends; yields its address.

    Raises SettingsError on a platform that it has no wheel for.
    """
    try:
        from osmem_server import resolve_binary
    except ModuleNotFoundError as error:
        raise SettingsError(
            "there is no embedded search server for this platform: start one and set SEARCH_URL=http://…"
        ) from error
    url = f"http://{HOST}:{port}"
    command = [resolve_binary(), "--addr", f"{HOST}:{port}", "--no-ja"]
    with child(command, "the search stand-in", lambda: search_server_at(url)):
        yield url


@contextmanager
def child(command: Sequence[str], name: str, answers: Callable[[], object]) -> Iterator[None]:
    """A process with a stdin of ours, in a session of its own so that Ctrl-C is ours alone to act on.

    Raises Unreachable if it ends, or does not answer within START_TIMEOUT.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _wait(process, name, answers)
        yield
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], name: str, answers: Callable[[], object]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not answers():
        if process.poll() is not None:
            said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
            raise Unreachable(f"{name} ended at once: {said[-500:]}")
        if time.monotonic() > deadline:
            raise Unreachable(f"{name} does not answer after {START_TIMEOUT:.0f} s")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stderr:
        process.stderr.close()
