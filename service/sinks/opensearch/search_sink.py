"""Sink for search servers: sends bulk requests with external versions."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any, Final

from ...context import Context
from ...deadline import out_of_time
from ...errors import Halt, Retry
from ...model.outcomes import OUT_OF_TIME, Outcome
from ...pipeline import SILENT, Observer, Result, Write
from ...pipeline.delivery import Fence, no_fence
from ...pipeline.prefetch import Prefetch
from ...routing import IndexDeclaration
from .alias_targets import Target, look
from .bulk_body import BulkSize
from .bulk_requests import REFUSED, BulkServer, Sending
from .bulk_responses import result_of_error
from .index_copies import Copies
from .index_creation import create_behind
from .missing_indices import Absences

SEEN_FOR: Final = 5.0
"""Seconds for which a writer caches the aliases."""


class SeenTargets:
    """A cache of targets, valid for SEEN_FOR seconds. Threads share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._lock = Lock()
        self._seen: dict[str, tuple[Target, float]] = {}

    def find(self, names: Iterable[str], look: Callable[[list[str]], dict[str, Target]]) -> dict[str, Target]:
        """Return targets by name; `look` reads those that are not cached. Raises what `look` raises."""
        now = self._clock()
        with self._lock:
            known = {n: self._seen[n][0] for n in names if n in self._seen and now - self._seen[n][1] <= SEEN_FOR}
        missing = [name for name in names if name not in known]
        if not missing:
            return known
        found = look(missing)
        with self._lock:
            self._seen |= {name: (target, now) for name, target in found.items()}
        return known | found

    def forget(self, *names: str) -> None:
        """Remove targets from the cache; all of them if no names are given."""
        with self._lock:
            for name in names or list(self._seen):
                self._seen.pop(name, None)


class SearchSink:
    """Write documents with opensearch-py. `indices` are the declarations of the routes, by index name."""

    def __init__(
        self,
        context: Context,
        indices: Mapping[str, IndexDeclaration],
        observer: Observer = SILENT,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._context = context
        self._indices = indices
        self._targets = SeenTargets(clock)
        size = BulkSize(context.settings.bulk_actions, context.settings.bulk_bytes)
        self._server = BulkServer(context, observer, self._targets.forget, size)
        self._copies = Copies(context, observer, self._send_copies)
        self._absences = Absences()

    def absences(self, names: Collection[str]) -> Mapping[str, int]:
        """Return how often each index was missing. Creates missing ones if the settings allow it.

        Raises Halt, and Retry if the server cannot be reached.
        """
        _, failed = self._look(names, no_fence)
        if failed:
            raise Retry(failed.summary)
        return self._absences.times(names)

    def write(
        self, writes: Sequence[Write], fence: Fence = no_fence, prefetch: Prefetch | None = None
    ) -> list[Result]:
        """Write a batch as `DocumentSink` describes."""
        targets, failed = self._look({write.target for write in writes}, fence)
        if failed:
            return [failed] * len(writes)
        metas = {name: target.meta for name, target in targets.items()}
        results = Sending(self._server, writes, fence).send(metas, prefetch)
        if any(target.also for target in targets.values()):
            self._copy(writes, targets, results, fence)
        return [results[position] for position in range(len(writes))]

    def _look(self, names: Collection[str], fence: Fence) -> tuple[dict[str, Target], Result | None]:
        """Return the cached or current targets, or the result of every write if they cannot be read.

        Raises Halt.
        """
        try:
            return self._targets.find(names, partial(self._find_or_create, fence)), None
        except Exception as error:
            return {}, replace(result_of_error(error), status=None, shared=True)  # no document is to blame

    def _find_or_create(self, fence: Fence, names: Sequence[str]) -> dict[str, Target]:
        """Return the current targets. Missing indices are created if the settings allow it.

        Raises Halt if the server refuses to create one, and what opensearch-py raises.
        """
        fence()
        found = look(self._context, names)
        self._absences.note(found)
        for name in names:
            if not found[name].live and self._context.settings.create_indices:
                fence()
                declared = self._indices.get(name) or IndexDeclaration(name)
                try:
                    found[name] = create_behind(self._context, declared, found[name])
                except Exception as error:
                    refused = result_of_error(error)
                    if refused.outcome is Outcome.REJECTED or refused.status == REFUSED:
                        raise Halt(f"the index {name} cannot be created: {refused.reason}") from error
                    raise
        return found

    def _copy(
        self, writes: Sequence[Write], targets: Mapping[str, Target], results: dict[int, Result], fence: Fence
    ) -> None:
        """Repeat the writes in the copies. The aliases are read again before a record is retried."""
        if out_of_time():  # the records are redelivered, and then copied
            copied = [p for p, write in enumerate(writes) if targets[write.target].also]
            results.update(dict.fromkeys(copied, OUT_OF_TIME))
            return
        for position, retried in self._copies.write(writes, targets, results, fence):
            results[position] = retried
            self._targets.forget(writes[position].target)

    def _send_copies(
        self, writes: Sequence[Write], metas: Mapping[str, Mapping[str, Any]], fence: Fence
    ) -> dict[int, Result]:
        """Send writes to a copy; `metas` has its index fields. Return the results by position."""
        return Sending(self._server, writes, fence).send(metas)
