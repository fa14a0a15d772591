"""Whether the container is alive and can do its work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..pipeline import Source
from ..pipeline.workers import Worker

OK: Final = "ok"
WAITING: Final = "waiting"
"""It retries until the operator has fixed something: no permission, no index, no server."""
STUCK: Final = "stuck"
"""One batch takes longer than `stall_after`: a restart helps."""
STOPPED: Final = "stopped"
"""Its thread has ended: a restart helps."""

SEVERITY: Final = (OK, WAITING, STUCK, STOPPED)


class Health:
    """What the workers are at. A batch that is tried for longer than `stall_after` seconds is stuck."""

    def __init__(self, workers: Sequence[Worker], stall_after: float):
        self._workers = workers
        self._stall_after = stall_after

    def alive(self) -> bool:
        """True if every worker runs and none is stuck; otherwise a restart helps."""
        return not {STOPPED, STUCK} & set(self.states().values())

    def ready(self) -> bool:
        """True if every source is read and written. If not, the operator has to fix something."""
        return set(self.states().values()) <= {OK}

    def states(self) -> dict[str, str]:
        """Return the state of each source by its name: one of OK, STOPPED, STUCK and WAITING.

        If several threads read a source, the one that is worst off counts.
        """
        return {name: state for name, (state, _) in self._worst().items()}

    def reasons(self) -> dict[str, str]:
        """Return why each source is not OK, by its name; "" if it is."""
        return {name: reason for name, (_, reason) in self._worst().items()}

    def read(self) -> list[Source]:
        """The sources, each once."""
        return list({worker.source.name: worker.source for worker in self._workers}.values())

    def _worst(self) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for worker in self._workers:
            seen = self._look_at(worker)
            found[worker.name] = max(found.get(worker.name, seen), seen, key=lambda one: SEVERITY.index(one[0]))
        return found

    def _look_at(self, worker: Worker) -> tuple[str, str]:
        if not worker.is_alive():
            return STOPPED, "ended"
        if worker.busy_for() > self._stall_after:
            return STUCK, f"one batch for {worker.busy_for():.0f} s"
        reason = worker.halted or worker.source.trouble
        return (WAITING, reason) if reason else (OK, "")
