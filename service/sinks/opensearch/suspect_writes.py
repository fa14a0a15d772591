"""Find the write that makes a bulk request fail as a whole, by sending its writes apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from ...model.outcomes import OUT_OF_TIME
from ...pipeline import Outcome, Result, Write
from ...pipeline.group_testing import Suspects, parts_of_suspects
from .bulk_body import Chunk

Line: TypeAlias = tuple[int, bytes]
"""The position of a write in its batch, and its lines in a request."""

BLAMELESS: Final = (403, 429)
"""Statuses of a whole request that a document never causes: the server is blocked or busy."""


class SuspectWrites:
    """Remember the documents of requests that failed as a whole, from one delivery to the next.

    `failed` has an entry for each suspect. It is empty if all requests succeed.
    """

    def __init__(self) -> None:
        self._suspects = Suspects()
        self.failed = self._suspects.failed

    def add(self, chunk: Chunk, refused: Result, writes: Sequence[Write], results: dict[int, Result]) -> None:
        """Suspect the writes that have the result of a refused request.

        If the request had several writes, none of them is blamed: their results lose the status.
        """
        if refused is OUT_OF_TIME or refused.outcome is not Outcome.RETRY:
            return
        left = [position for position in chunk.positions if results[position] is refused]
        if len(chunk.positions) > 1:
            results.update(dict.fromkeys(left, replace(refused, status=None, shared=True)))
        if len(writes) > 1 and refused.status not in BLAMELESS:
            self._suspects.add([_key_of(writes[position]) for position in left], len(chunk.positions))

    def clear(self, writes: Sequence[Write], results: Mapping[int, Result]) -> None:
        """Remove the acknowledged writes from the suspects."""
        self._suspects.clear(_key_of(writes[position]) for position, r in results.items() if r.outcome.done)

    def hold_back(self, lines: Iterable[Line], writes: Sequence[Write], held: list[Line]) -> Iterator[Line]:
        """Yield the lines of writes that are no suspects; add the others to `held`."""
        for line in lines:
            if self._suspects.size_of(_key_of(writes[line[0]])):
                held.append(line)
            else:
                yield line

    def by_target(self, held: Iterable[Line], writes: Sequence[Write]) -> dict[str, list[list[Line]]]:
        """Return the parts in which suspects are sent to each index; the most recent failures come last."""
        keys = {position: _key_of(writes[position]) for position, _ in held}
        found: dict[str, list[Line]] = {}
        for line in sorted(held, key=lambda line: self._suspects.turn_of(keys[line[0]])):
            found.setdefault(writes[line[0]].target, []).append(line)
        return {
            target: list(parts_of_suspects(lines, lambda line: self._suspects.size_of(keys[line[0]])))
            for target, lines in found.items()
        }


def _key_of(write: Write) -> tuple[str, str]:
    return write.target, write.id
