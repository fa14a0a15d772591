"""Whether the container is alive and can do its work, and what it counts: `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

from ..dispatch import Source
from ..errors import SettingsError
from ..telemetry.metrics import Metrics
from ..telemetry.prometheus import exposition
from .workers import Worker

logger = logging.getLogger(__name__)


class Health:
    """What the workers are at. A batch that is tried for longer than `stall_after` seconds is stuck."""

    def __init__(self, workers: Sequence[Worker], stall_after: float):
        self._workers = workers
        self._stall_after = stall_after

    def alive(self) -> bool:
        """Whether every worker runs and none is stuck: else a restart helps."""
        return all(worker.is_alive() and worker.busy_for() <= self._stall_after for worker in self._workers)

    def ready(self) -> bool:
        """Whether every source can be read and what it gives be written: else somebody has to mend something."""
        return self.alive() and not any(self._trouble(worker) for worker in self._workers)

    def sources(self) -> dict[str, str]:
        """What is wrong with each source, in words; "" for what is well."""
        found: dict[str, str] = {}
        for worker in self._workers:
            found[worker.name] = found.get(worker.name) or self._trouble(worker)
        return found

    def read(self) -> list[Source]:
        """The sources, each once."""
        return list({worker.source.name: worker.source for worker in self._workers}.values())

    def _trouble(self, worker: Worker) -> str:
        if not worker.is_alive():
            return "ended"
        if worker.busy_for() > self._stall_after:
            return f"one batch for {worker.busy_for():.0f} s"
        return worker.halted or worker.source.trouble


class HealthPages:
    """Serves the pages, until the `with` block ends."""

    def __init__(self, health: Health, metrics: Metrics, host: str, port: int):
        """Raises SettingsError where the port cannot be had."""
        try:
            self._server = ThreadingHTTPServer((host, port), handler_of(health, metrics))
        except OSError as error:
            reason = f"port {port} of {host} cannot be had ({error.strerror})"
            raise SettingsError(f"{reason}: STREAMDEX_PAGE_PORT names another, 0 none") from error
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, name="health pages", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def handler_of(health: Health, metrics: Metrics) -> type[BaseHTTPRequestHandler]:
    checks = {"/healthz": health.alive, "/readyz": health.ready}

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # seconds that a client may take over its request

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            check = checks.get(path)
            if path == "/metrics":
                self._answer(200, exposition(metrics, health.read), "text/plain; version=0.0.4; charset=utf-8")
            elif check is None:
                self._tell(404, {"pages": [*checks, "/metrics"]})
            else:
                good = check()
                self._tell(200 if good else 503, {"ok": good, "sources": health.sources()})

        do_HEAD = do_GET  # noqa: N815  # the name that http.server looks for

        def log_message(self, *_: Any) -> None:
            """Pages are asked for every few seconds: that is nothing to log."""

        def _tell(self, status: int, body: Mapping[str, Any]) -> None:
            self._answer(status, json.dumps(body).encode() + b"\n", "application/json")

        def _answer(self, status: int, text: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

    return Handler
