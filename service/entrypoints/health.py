"""Whether the container is alive and can do its work."""

from __future__ import annotations

from collections.abc import Sequence

from ..dispatch import Source
from .workers import Worker


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
