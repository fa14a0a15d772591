"""The health of the container: liveness and readiness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..pipeline import Source
from ..pipeline.workers import Worker

OK: Final = "ok"
WAITING: Final = "waiting"
"""The source retries until the operator fixes the cause: a missing permission, index or server."""
STUCK: Final = "stuck"
"""One batch takes longer than `stall_after`. A restart helps."""
STOPPED: Final = "stopped"
"""The thread has ended. A restart helps."""

SEVERITY: Final = (OK, WAITING, STUCK, STOPPED)


class Health:
    """The states of the workers. A batch that takes longer than `stall_after` seconds is stuck."""

    def __init__(self, workers: Sequence[Worker], stall_after: float):
        self._workers = workers
        self._stall_after = stall_after

    def alive(self) -> bool:
        """True if every worker runs and none is stuck. If False, a restart helps."""
        return not {STOPPED, STUCK} & set(self.states().values())

    def ready(self) -> bool:
        """True if every source is OK. If False, the operator has to fix something."""
        return set(self.states().values()) <= {OK}

    def states(self) -> dict[str, str]:
        """Return the state of each source by its name: OK, WAITING, STUCK or STOPPED.

        If several threads read a source, the most severe state counts.
        """
        return {name: state for name, (state, _) in self._worst().items()}

    def reasons(self) -> dict[str, str]:
        """Return the reason for the state of each source, by its name; "" if it is OK."""
        return {name: reason for name, (_, reason) in self._worst().items()}

    def sources(self) -> list[Source]:
        """Return the sources, each once."""
        return list({worker.source.name: worker.source for worker in self._workers}.values())

    def _worst(self) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for worker in self._workers:
            current = self._state_of(worker)
            found[worker.name] = max(
                found.get(worker.name, current), current, key=lambda one: SEVERITY.index(one[0])
            )
        return found

    def _state_of(self, worker: Worker) -> tuple[str, str]:
        if not worker.is_alive():
            return STOPPED, "the thread has ended"
        if worker.busy_for() > self._stall_after:
            return STUCK, f"one batch has been running for {worker.busy_for():.0f} s"
        reason = worker.halted or worker.source.trouble
        return (WAITING, reason) if reason else (OK, "")
