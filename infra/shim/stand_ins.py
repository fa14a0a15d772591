"""Starts the stand-ins as children that cannot outlive us: each ends when its standard input does."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import IO

from service.errors import SettingsError, Unreachable

from .probes import HOST, put

START_TIMEOUT = 60.0
STOP_TIMEOUT = 0.5
"""Seconds. The stand-ins hold nothing that an end by force could harm."""


@contextmanager
def embedded_aws(port: int) -> Iterator[str]:
    """moto's server on a port of this machine, until the block ends; yields its address."""
    with child([sys.executable, "-m", "infra.shim.aws", str(port)], "the AWS stand-in"):
        yield f"http://{HOST}:{port}"


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
    with child([resolve_binary(), "--addr", f"{HOST}:{port}", "--no-ja"], "the search stand-in"):
        url = f"http://{HOST}:{port}"
        # As a server should be set up: it says so from now on, and does not heed it yet.
        put(f"{url}/_cluster/settings", {"persistent": {"action.auto_create_index": "false"}})
        yield url


@contextmanager
def child(command: Sequence[str], name: str) -> Iterator[None]:
    """A process with a standard input of ours, in a session of its own so that Ctrl-C is ours to act on.

    It is ready when it prints its first line: whoever else answers at its port is not it. Raises Unreachable if
    it ends before, or says nothing within START_TIMEOUT.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
        assert process.stdin
        assert process.stdout
        spoke, ended = Event(), Event()
        reader = Thread(target=_listen, args=(process.stdout, spoke, ended), daemon=True)
        reader.start()
        try:
            if not spoke.wait(START_TIMEOUT):
                raise Unreachable(f"{name} does not answer after {START_TIMEOUT:.0f} s")
            if ended.is_set():
                raise Unreachable(f"{name} ended at once: {_tail(errors)}")
            yield
        finally:
            process.stdin.close()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            reader.join()
            process.stdout.close()


def _listen(output: IO[bytes], spoke: Event, ended: Event) -> None:
    """Reads what a child prints, so that it never waits for us; the first line, or its end, is told at once."""
    if not output.readline():
        ended.set()
    spoke.set()
    while output.read(65536):
        continue


def _tail(errors: IO[bytes]) -> str:
    errors.seek(0)
    return errors.read().decode(errors="replace").strip()[-500:]
