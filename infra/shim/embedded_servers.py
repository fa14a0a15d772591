"""Start the embedded servers as child processes. Each exits when its standard input closes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Event, Thread
from typing import IO

from service.errors import SettingsError, Unreachable

from .probes import HOST, free_port, put

START_TIMEOUT = 60.0
STOP_TIMEOUT = 0.5
"""Seconds. The embedded servers keep data in memory only, so killing them loses nothing."""


@contextmanager
def embedded_aws(port: int) -> Iterator[str]:
    """Run moto's server on a port of this machine until the block ends; yield its address."""
    with child([sys.executable, "-m", "infra.shim.aws", str(port)], "the embedded AWS server"):
        yield f"http://{HOST}:{port}"


@contextmanager
def embedded_search(port: int, pipelines: bool = False) -> Iterator[str]:
    """Run osmem on a port of this machine until the block ends; yield its address.

    With `pipelines`, a server that runs them stands in front of it. Raises SettingsError on a platform without an
    osmem wheel.
    """
    try:
        from osmem_server import resolve_binary
    except ModuleNotFoundError as error:
        raise SettingsError(
            "there is no embedded search server for this platform. Start a search server and set SEARCH_URL=http://…"
        ) from error
    with ExitStack() as stack:
        own = free_port() if pipelines else port
        osmem = [resolve_binary(), "--addr", f"{HOST}:{own}", "--no-ja"]
        stack.enter_context(child(osmem, "the embedded search server"))
        if pipelines:
            front = [sys.executable, "-m", "infra.shim.pipelines", str(port), f"http://{HOST}:{own}"]
            stack.enter_context(child(front, "the server of pipelines"))
        url = f"http://{HOST}:{port}"
        # The recommended setting of a server. osmem reports the value but does not apply it yet.
        put(f"{url}/_cluster/settings", {"persistent": {"action.auto_create_index": "false"}})
        yield url


@contextmanager
def child(command: Sequence[str], name: str) -> Iterator[None]:
    """Run a child process in its own session, so that Ctrl-C does not reach it, and with a pipe as its stdin.

    The child is ready when it prints its first line; a response on its port could come from another process.
    Raises Unreachable if it exits before that, or prints nothing within START_TIMEOUT.
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
                raise Unreachable(f"{name} did not start within {START_TIMEOUT:.0f} s")
            if ended.is_set():
                raise Unreachable(f"{name} exited at start: {_tail(errors)}")
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
    """Read the output of a child, so that it never blocks; set the events at its first line, or at its end."""
    if not output.readline():
        ended.set()
    spoke.set()
    while output.read(65536):
        continue


def _tail(errors: IO[bytes]) -> str:
    errors.seek(0)
    return errors.read().decode(errors="replace").strip()[-500:]
