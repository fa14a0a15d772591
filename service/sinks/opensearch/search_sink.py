"""Sink for search servers: sends bulk requests with external versions."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from ...program import PROGRAM
from ...routing import IndexDeclaration
from .alias_targets import Target, indices_of, look, names_in, target_in
from .bulk_body import BulkSize
from .bulk_requests import REFUSED, BulkServer, Sending
from .bulk_responses import result_of_error
from .index_copies import Copies
from .index_creation import NAME_ERRORS, create_behind
from .missing_indices import Absences
from .pipelines import create_missing_pipelines

SEEN_FOR: Final = 5.0
"""Seconds for which a writer caches the aliases."""


class SeenTargets:
    """A cache of targets, valid for SEEN_FOR seconds. Threads share it.

    Each reading removes the outdated ones, because the names of a pattern come from records.
    """

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
            fresh = {name: seen for name, seen in self._seen.items() if now - seen[1] <= SEEN_FOR}
            self._seen = fresh | {name: (target, now) for name, target in found.items()}
        return known | found

    def forget(self, *names: str) -> None:
        """Remove targets from the cache; all of them if no names are given."""
        with self._lock:
            for name in names or list(self._seen):
                self._seen.pop(name, None)


NOT_CREATED: Final = "an index of a pattern does not exist and is not created: the dead letter has the reason"


class SearchSink:
    """Write documents with opensearch-py. `indices` are the routes' declarations, by index name or pattern."""

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
        self._with_pipelines: set[str] = set()

    def absences(self, names: Collection[str]) -> Mapping[str, int]:
        """Return how often each index, or an index of each pattern, was missing.

        Missing indices are created if the settings allow it, those of a pattern only by a write. Raises Halt, and
        Retry if the server cannot be reached.
        """
        _, failed = self._look(names, no_fence)
        if failed:
            raise Retry(failed.summary)
        return self._absences.times(names)

    def write(
        self, writes: Sequence[Write], fence: Fence = no_fence, prefetch: Prefetch | None = None
    ) -> list[Result]:
        """Write a batch as `DocumentSink` describes."""
        targets, failed = self._look(dict.fromkeys([write.target for write in writes]), fence)
        if failed:
            return [failed] * len(writes)
        unusual = [target for target in targets.values() if target.also or target.refused]
        if unusual and any(target.refused for target in unusual):
            return self._write_others(writes, targets, fence, prefetch)
        metas = {name: target.meta for name, target in targets.items()}
        results = Sending(self._server, writes, fence).send(metas, prefetch)
        if unusual:
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

    def _write_others(
        self, writes: Sequence[Write], targets: Mapping[str, Target], fence: Fence, prefetch: Prefetch | None
    ) -> list[Result]:
        """Write all but the writes to indices that are not created. Those are rejected."""
        others = [write for write in writes if not targets[write.target].refused]
        results = iter(self.write(others, fence, prefetch) if others else ())
        return [
            Result(Outcome.REJECTED, targets[write.target].refused, log_text=NOT_CREATED)
            if targets[write.target].refused
            else next(results)
            for write in writes
        ]

    def _find_or_create(self, fence: Fence, names: Sequence[str]) -> dict[str, Target]:
        """Return the current targets. Missing indices and pipelines are created if the settings allow it.

        Pipelines are looked for once, and again with each missing index. Raises Halt if the server refuses to
        create something, and what opensearch-py raises.
        """
        fence()
        if self._context.settings.create_indices:
            for declared in map(self._declaration_of, names):
                if declared.name not in self._with_pipelines:
                    self._create_pipelines(declared, fence)
        by_pattern: dict[str, list[str]] = {}
        for name in names:
            by_pattern.setdefault(self._pattern_of(name), []).append(name)
        plain = by_pattern.pop("", [])
        found = look(self._context, plain)
        self._absences.note(found)
        if self._context.settings.create_indices:
            found |= {name: self._create(found[name], fence) for name in plain if not found[name].live}
        for pattern, members in by_pattern.items():
            found |= self._find_in_pattern(pattern, members, fence)
        return found

    def _pattern_of(self, name: str) -> str:
        """Return the pattern that an index belongs to, or the name if it is a pattern itself; "" for none."""
        declared = self._indices.get(name)
        if declared is not None:
            return name if declared.is_pattern else ""
        return next((pattern for pattern, one in self._indices.items() if one.covers(name)), "")

    def _declaration_of(self, name: str) -> IndexDeclaration:
        """Return the declaration of an index, which is that of its pattern if it belongs to one."""
        return self._indices.get(self._pattern_of(name) or name) or IndexDeclaration(name)

    def _find_in_pattern(self, pattern: str, names: Sequence[str], fence: Fence) -> dict[str, Target]:
        """Return the current targets of indices of a pattern, from one request, and create the missing ones.

        An index that is not created gets a target with the reason: the names come from records, so that one of
        them must not stop all the others.
        """
        groups = indices_of(self._context, pattern)
        there = names_in(groups)
        self._absences.note_pattern(pattern, there)
        found = {name: target_in(groups, name) for name in names}
        count = len(there)
        for name in names:
            if found[name].live or found[name].refused or name == pattern:
                continue
            refused = self._refusal(pattern, name, count)
            found[name] = replace(found[name], refused=refused) if refused else self._create(found[name], fence)
            count += not found[name].refused
        return found

    def _refusal(self, pattern: str, name: str, count: int) -> str:
        """Return why a missing index of a pattern is not created; "" if it may be."""
        settings = self._context.settings
        words = f"index {name} of {pattern} does not exist"
        remedy = f"create it with `{PROGRAM} indices apply --index={name}`"
        if not settings.create_indices:
            return f"{words}, and STREAMDEX_CREATE_INDICES=false: {remedy}, then redrive the dead letter"
        if count < settings.max_indices:
            return ""
        return (
            f"{words}, and the pattern has {count} indices of at most {settings.max_indices} that the service"
            f" creates (STREAMDEX_MAX_INDICES): if the name is right, {remedy} or raise the limit, then redrive"
            " the dead letter"
        )

    def _create(self, target: Target, fence: Fence) -> Target:
        """Create a missing index. Raises Halt if the server refuses it, and what opensearch-py raises.

        Its pipelines may be missing as well: a server that was replaced has neither.
        """
        name, declared = target.name, self._declaration_of(target.name)
        self._create_pipelines(declared, fence)
        fence()
        with _creating(f"the index {name}"):
            try:
                return create_behind(self._context, declared.of(name), target)
            except Exception as error:
                if not declared.is_pattern or getattr(error, "error", "") not in NAME_ERRORS:
                    raise
                return replace(target, refused=f"the search server does not accept the index name {name}: {error}")

    def _create_pipelines(self, declared: IndexDeclaration, fence: Fence) -> None:
        """Create the missing pipelines of an index or a pattern. Raises Halt, and what opensearch-py raises."""
        if declared.pipelines:
            fence()
            with _creating(f"a pipeline of index {declared.name}"):
                create_missing_pipelines(self._context, declared.pipelines)
        self._with_pipelines.add(declared.name)

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


@contextmanager
def _creating(what: str) -> Iterator[None]:
    """Convert the server's refusal to create something in the block to Halt."""
    try:
        yield
    except Exception as error:
        refused = result_of_error(error)
        if refused.outcome is Outcome.REJECTED or refused.status == REFUSED:
            raise Halt(f"{what} cannot be created: {refused.reason}") from error
        raise
