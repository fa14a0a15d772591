"""The service in processes of its own."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deployments import DEADLINE, Deployment, ServiceProcess, eventually


class Container(ServiceProcess):
    """The service process with the names and folders of a deployment. `within` is its working directory."""

    _numbers = itertools.count()

    def __init__(self, place: Deployment, folder: Path, within: Path | None = None, **settings: str):
        its = {
            **place.environment,
            "READ_QUEUE": place.queue,
            "POLL_INTERVAL": "0.05",
            "STREAMDEX_POLL_WAIT": "0",
            "STREAMDEX_CHECKPOINTS": str(folder / "positions.sqlite"),
            "STREAMDEX_STREAM_BATCH_SIZE": "50",
            "STREAMDEX_PAGE_PORT": "0",
        }
        super().__init__(folder / f"output-{next(self._numbers)}", {**its, **settings}, within)


def stop(*containers: Container) -> None:
    """Stop containers as an orchestrator does, with SIGTERM. Each must exit with 0."""
    # A container that has just started may still be importing modules. SIGTERM then kills it at once.
    eventually(lambda: all(container.has_said("started reading") for container in containers), True)
    for container in containers:
        container.send_signal(signal.SIGTERM)
    assert [container.wait(DEADLINE) for container in containers] == [0] * len(containers)


@contextmanager
def ended_after(running: Sequence[Container]) -> Iterator[None]:
    """Kill all containers that still run at the end of the block. The block may change `running`."""
    try:
        yield
    finally:
        for container in running:
            container.kill()
            container.wait()


def truth(place: Deployment) -> dict[str, Any]:
    return {item["id"]: item.get("title", "") for item in place.items.scan()["Items"]}


def indexed(place: Deployment) -> dict[str, Any]:
    return {name: document.get("title", "") for name, document in place.documents().items()}
