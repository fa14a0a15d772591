"""Retries of failed jobs, and the errors to show until they succeed."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ...errors import Halt
from ...model.outcomes import Outcome
from ...pipeline.error_outcomes import result_of
from ...retry_policy import LONGEST, RetryPolicy, log_pause
from .idle_delay import SHORTEST
from .schedule import Schedule
from .stream_batch import Job


class Retries:
    """Put failed jobs back into the schedule, with growing backoff. With `exits`, a Halt ends the service."""

    def __init__(self, source: str, schedule: Schedule[Job], chance: Callable[[], float], exits: bool):
        self._source = source
        self._schedule = schedule
        self._policy = RetryPolicy(shortest=SHORTEST, longest=LONGEST, chance=chance)
        self._exits = exits
        self._troubles: dict[tuple[str, str], str] = {}

    @property
    def troubles(self) -> list[str]:
        """The errors of jobs that the operator should see."""
        return list(self._troubles.values())

    def trouble(self, job: Job, reason: str) -> None:
        """Show the error of a job until the job succeeds."""
        self._troubles[job.name] = reason

    def worked(self, job: Job) -> None:
        """Remove the error of a job."""
        self._troubles.pop(job.name, None)

    def keep(self, names: Collection[str], stream: str | None = None) -> None:
        """Keep only the errors of these streams (ARNs) or, with `stream`, of these shards of it."""
        for arn, shard in list(self._troubles):
            if (arn if stream is None else shard) not in names and stream in (None, arn):
                self._troubles.pop((arn, shard), None)

    def clear(self) -> None:
        """Remove all errors."""
        self._troubles.clear()

    def failed(self, job: Job, error: Exception) -> None:
        """Retry a job later. Raises Halt if the error is permanent and halts end the service."""
        where = f"{self._source}, shard {job.reader.shard}" if job.reader else self._source
        try:
            result = result_of(error, where)
            halt = None if result.outcome is Outcome.RETRY else Halt(result.reason)
        except Halt as found:
            halt, result = found, None
        if halt is None:
            assert result is not None
            self.later(job, result.reason)
            return
        self.trouble(job, str(halt))
        self.later(job, str(halt), halted=True)
        if self._exits:
            raise halt from error

    def later(self, job: Job, reason: str, halted: bool = False) -> None:
        """Retry a job after a backoff, and log the reason."""
        job.failures += 1
        pause = self._policy.pause_after(job.failures)
        log_pause(self._source, reason, pause, halted)
        self._schedule.put(job, pause)
