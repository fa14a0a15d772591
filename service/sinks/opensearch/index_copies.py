"""Repeat writes in the copies of an index: one that is being built, and a replaced one that is kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, Final, TypeAlias

from ...context import Context
from ...errors import Halt
from ...model.outcomes import Outcome
from ...pipeline import Observer, Result, Write
from ...pipeline.delivery import Fence, no_fence
from ...pipeline.error_outcomes import describe
from ...routing.index_names import ALSO
from .alias_targets import Target, change_aliases, remove

logger = logging.getLogger(__name__)

RETRY_FOR: Final = 300.0
"""Seconds for which a failed write to a copy is retried, with its record, before the copy is abandoned."""

GOOD: Final = (Outcome.APPLIED, Outcome.STALE)

Copy: TypeAlias = tuple[str, str]
"""The logical name of the index, and the copy that gets the same writes."""

Send: TypeAlias = Callable[[Sequence[Write], Mapping[str, Mapping[str, Any]], Fence], Mapping[int, Result]]
"""Send writes; the mapping gives the index fields of each target. Return the results by position."""


class Copies:
    """Repeat in the copies of an index every write that it accepted.

    A write is acknowledged once every copy has accepted it. If a copy fails, the record is retried. A copy that
    refuses a write which the index accepts, or that fails for RETRY_FOR, is abandoned: it gets no more writes, and
    cannot replace the index.
    """

    def __init__(
        self, context: Context, observer: Observer, send: Send, clock: Callable[[], float] = time.monotonic
    ):
        self._context = context
        self._observer = observer
        self._send = send
        self._clock = clock
        self._lock = Lock()
        self._failing: dict[Copy, dict[str, tuple[float, float]]] = {}
        """Documents that a copy has not accepted, with the times of the first and the last failure."""

    def write(
        self,
        writes: Sequence[Write],
        targets: Mapping[str, Target],
        results: Mapping[int, Result],
        fence: Fence = no_fence,
    ) -> Iterator[tuple[int, Result]]:
        """Copy the acknowledged writes. Yield the positions that have to be retried, each with its result."""
        by_copy: dict[Copy, list[int]] = {}
        for position, write in enumerate(writes):
            if results[position].outcome in (*GOOD, Outcome.REJECTED):
                for index in targets[write.target].also:
                    by_copy.setdefault((write.target, index), []).append(position)
        for copy, positions in by_copy.items():
            made = self._write_one(copy, [writes[p] for p in positions], fence)
            ends = dict(zip(positions, made, strict=True))
            waiting = [p for p, end in ends.items() if end.outcome is Outcome.RETRY]
            # A write that both indices refuse is no failure of the copy.
            refused = [p for p in ends if ends[p].outcome is Outcome.REJECTED and results[p].outcome in GOOD]
            longest = self._note(copy, [(writes[p].id, ends[p].outcome is Outcome.RETRY) for p in ends])
            reason = next((ends[p].reason for p in refused), "")
            if not reason and longest >= RETRY_FOR:
                reason = f"failing for {longest:.0f} s: {ends[waiting[0]].reason}"
            if reason and self._give_up(copy, reason):
                continue
            for position in positions if reason else waiting:
                yield position, _retried(copy, ends[position])

    def _write_one(self, copy: Copy, writes: Sequence[Write], fence: Fence) -> list[Result]:
        name, index = copy
        try:
            with self._observer.step("request", "copy"):
                ends = self._send(writes, {name: {"_index": index}}, fence)
        except Halt as halt:  # the cause may affect only the copy
            return [Result(Outcome.RETRY, str(halt))] * len(writes)
        return [ends[position] for position in range(len(writes))]

    def _note(self, copy: Copy, ends: Sequence[tuple[str, bool]]) -> float:
        """Record the documents that a copy has not accepted. Return how long the first has waited, in seconds.

        `ends` are document ids, each with true if it has to be retried.
        """
        now, longest = self._clock(), 0.0
        with self._lock:
            failing = self._failing.setdefault(copy, {})
            for name, waits in ends:
                first, last = failing.pop(name, (now, now))
                if waits:
                    # After such a gap another process has handled the record, so its time starts again.
                    failing[name] = (first if now - last < RETRY_FOR else now, now)
                    longest = max(longest, now - failing[name][0])
        return longest

    def _give_up(self, copy: Copy, reason: str) -> bool:
        """Remove the alias that makes an index a copy. False if it is not one any more, or if that fails."""
        from opensearchpy.exceptions import NotFoundError, TransportError

        name, index = copy
        try:
            change_aliases(self._context, remove(index, name + ALSO))
        except TransportError as error:
            if not isinstance(error, NotFoundError):
                logger.warning("could not abandon a copy", extra={"index": index, "reason": describe(error)})
            return False
        with self._lock:
            self._failing.pop(copy, None)
        logger.error(
            "a copy has missed a write: it gets no further writes, and cannot replace the index",
            extra={"index": index, "of": name, "reason": reason},
        )
        return True


def _retried(copy: Copy, end: Result) -> Result:
    """Return the result of a record that a copy did not accept. It has no status: no document is to blame."""
    words = f"the copy {copy[1]} of {copy[0]} has not accepted the write"
    return Result(Outcome.RETRY, f"{words}: {end.reason}", log_text=f"{words}: {end.summary}")
