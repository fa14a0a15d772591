"""The container under test in its own process, and its log."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Final

from infra.shim.probes import free_port
from tests.embedded.deployments import ServiceProcess, ask

ROOT: Final = Path(__file__).parents[2]
START_TIMEOUT: Final = 30.0
STOP_TIMEOUT: Final = 20.0
COMES_AGAIN: Final = frozenset({"retry", "blocked"})
OUTCOMES: Final = frozenset({"applied", "stale", "skipped", "rejected", *COMES_AGAIN})


class Failed(Exception):
    """A reason why the run cannot continue."""


class Story:
    """The log so far: a count of each outcome, and the lines of level ERROR."""

    def __init__(self, log: Path):
        self.outcomes: Counter[str] = Counter()
        self.errors: list[str] = []
        self._log = log
        self._read = 0

    @property
    def done(self) -> int:
        """Return the number of acknowledged records.

        If one record of a batch is retried, others of the batch may be redelivered with it and counted again.
        """
        return sum(count for outcome, count in self.outcomes.items() if outcome not in COMES_AGAIN)

    def read_on(self) -> bool:
        """Read the new lines of the log. Return True if there are any."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            lines, end, _ = log.read().rpartition(b"\n")  # the last line may be incomplete
        self._read += len(lines) + len(end)
        for line in lines.splitlines():
            self._take(json.loads(line))
        return bool(lines)

    def _take(self, line: dict[str, object]) -> None:
        if line["event"] == "batch dispatched":
            self.outcomes.update({name: line[name] for name in OUTCOMES & line.keys()})
        if line["level"] == "ERROR":
            self.errors.append(f"{line['event']}: {line.get('reason', '')}")


class Container(ServiceProcess):
    """The sample application, reading streams. It runs in `folder`, without the configuration of the developer."""

    def __init__(self, folder: Path, log: Path, aws_url: str, search_url: str):
        port = free_port()
        settings = {
            "PYTHONPATH": str(ROOT),
            "FUNC": "images",
            "READ_QUEUE": "",
            "AWS_ENDPOINT_URL_DYNAMODB": aws_url,
            "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": aws_url,
            "SEARCH_URL": search_url,
            "SEARCH_AUTH": "none",
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "INFO",
            "STREAMDEX_PAGE_PORT": str(port),
        }
        super().__init__(log, settings, folder)
        self.story = Story(log)
        self._page = f"http://127.0.0.1:{port}/healthz"

    def check(self) -> None:
        """Check the process and its health endpoint. Raises Failed if it has ended or is unhealthy."""
        if self.poll() is not None:
            raise Failed(f"the container ended with code {self.returncode}: see {self.log}")
        page = ask("GET", self._page)
        if not page["ok"]:
            raise Failed(f"the container is not well: {page['sources']}")

    def wait_until_it_reads(self) -> None:
        """Wait until the container reads streams. Raises Failed if it ends or START_TIMEOUT passes."""
        deadline = time.monotonic() + START_TIMEOUT
        while not self.has_said("started reading"):
            if self.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"the container does not start: see {self.log}")
            time.sleep(0.1)

    def stop(self) -> int:
        """Send SIGTERM, and return the exit code."""
        self.send_signal(signal.SIGTERM)
        return self.wait(STOP_TIMEOUT)
