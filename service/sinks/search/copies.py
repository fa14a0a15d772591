"""The same writes to an index that is being rebuilt, and to one that was replaced and is kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from ...context import Context
from ...dispatch import Observer, Result, Write
from ...dispatch.failures import describe
from ...dispatch.outcomes import Outcome
from ...errors import StreamdexError, UnexpectedAnswer
from ...search.answers import entries_in
from .answers import result_of_item
from .body import Chunk, chunks, serialise
from .pace import Pace
from .targets import ALSO, Target, change_aliases, remove

logger = logging.getLogger(__name__)

PAUSES: Final = (0.1, 0.4, 1.6)
"""Seconds before what may succeed later is tried again: live traffic waits no longer than that for a copy."""

GOOD: Final = (Outcome.APPLIED, Outcome.STALE)


class Copies:
    """Writes what was written to an index to others, too, and never lets them disturb it.

    One that cannot take a write is not what it should be any longer: it gets none from then on, so that nobody
    puts it in the place of the other.
    """

    def __init__(self, context: Context, observer: Observer, sleep: Callable[[float], None] = time.sleep):
        self._context = context
        self._observer = observer
        self._sleep = sleep
        self._failed: dict[tuple[str, str], str] = {}

    def write(
        self, writes: Sequence[Write], targets: Mapping[str, Target], results: Mapping[int, Result]
    ) -> Iterator[int]:
        """Copies what is done; gives the positions of the writes whose copy turned out to be the one searched."""
        for (name, copy), reason in list(self._failed.items()):
            self._give_up(name, copy, reason)
        by_copy: dict[tuple[str, str], list[int]] = {}
        for position, write in enumerate(writes):
            if results[position].outcome in (*GOOD, Outcome.REJECTED):
                for copy in targets[write.target].also:
                    by_copy.setdefault((write.target, copy), []).append(position)
        for (name, copy), positions in by_copy.items():
            reason = self._write_one(copy, writes, positions, results)
            if reason and not self._give_up(name, copy, reason):
                yield from positions

    def _write_one(
        self, copy: str, writes: Sequence[Write], positions: Sequence[int], results: Mapping[int, Result]
    ) -> str:
        """Writes to one copy; why it could not be, "" where it was. What neither index takes is no failure."""
        rest = list(positions)
        reason = ""
        for pause in (*PAUSES, None):
            ends = self._request(copy, [writes[position] for position in rest])
            left = []
            for position, end in zip(rest, ends, strict=True):
                if end.outcome is Outcome.RETRY:
                    left.append(position)
                    reason = end.reason
                elif end.outcome not in GOOD and results[position].outcome in GOOD:
                    return end.reason
            if not left:
                return ""
            if pause is None:
                return reason
            rest = left
            self._sleep(pause)
        return reason

    def _request(self, copy: str, writes: Sequence[Write]) -> list[Result]:
        self._context.check()
        settings = self._context.settings
        found: dict[int, Result] = {}
        metas = {write.target: {"_index": copy} for write in writes}
        lines = serialise(writes, metas, found, settings.document_bytes)
        for chunk in chunks(lines, Pace(settings.bulk_actions, settings.bulk_bytes)):
            found |= zip(chunk.positions, self._post(copy, chunk), strict=True)
        return [found[position] for position in range(len(writes))]

    def _post(self, copy: str, chunk: Chunk) -> list[Result]:
        try:
            with self._observer.step("request", "copy"):
                answer = self._context.search.bulk(body=chunk.body)
            return [result_of_item(entry, copy) for entry in entries_in(answer, len(chunk.positions))]
        except UnexpectedAnswer as error:
            return [Result(Outcome.RETRY, str(error))] * len(chunk.positions)
        except StreamdexError as error:
            return [Result(Outcome.REJECTED, str(error))] * len(chunk.positions)
        except Exception as error:
            return [Result(Outcome.RETRY, describe(error))] * len(chunk.positions)

    def _give_up(self, name: str, copy: str, reason: str) -> bool:
        """Has nobody write to a copy any longer; False where it is no copy any longer, as it is searched now."""
        from opensearchpy.exceptions import NotFoundError, TransportError

        self._failed[name, copy] = reason
        try:
            change_aliases(self._context, remove(copy, name + ALSO))
        except NotFoundError:
            del self._failed[name, copy]
            return False
        except TransportError as error:  # tried again with the next write
            logger.warning("copy not given up", extra={"index": copy, "reason": describe(error)})
            return True
        del self._failed[name, copy]
        logger.error(
            "the rebuilt index has failed: it gets no writes any longer, and cannot replace the other",
            extra={"index": copy, "of": name, "reason": reason},
        )
        return True
