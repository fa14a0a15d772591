"""Of the writes to one document in a batch only the newest is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ..records import TableRecord
from ..records.versions import second_of
from .contracts import Sink, Write
from .outcomes import SUPERSEDED, Outcome, Result

Stack: TypeAlias = list[int]
"""The positions of the writes to one document, oldest first."""


def write_newest(writes: Sequence[Write], sink: Sink) -> list[Result]:
    """Writes the newest of each document and says how each of the writes ended.

    What the newest supersedes is STALE, but only once the newest is done: if it is rejected the next older
    one is sent, and if it has to come again they all have to.
    """
    stacks = stack_by_document(writes)
    results: dict[int, Result] = {}
    while stacks:
        heads = [stack.pop() for stack in stacks]
        answers = sink.write([writes[head] for head in heads])
        fallback = []
        for head, stack, answer in zip(heads, stacks, answers, strict=True):
            results[head] = answer
            if not stack:
                continue
            if answer.outcome is Outcome.REJECTED:
                fallback.append(stack)
            else:
                rest = answer if answer.outcome is Outcome.RETRY else SUPERSEDED
                results.update(dict.fromkeys(stack, rest))
        stacks = fallback
    return [results[position] for position in range(len(writes))]


def stack_by_document(writes: Sequence[Write]) -> list[Stack]:
    """The writes of each document, oldest first: by version, within a second by sequence number."""
    stacks: dict[tuple[str, str], Stack] = {}
    for position, write in enumerate(writes):
        stacks.setdefault((write.target, write.id), []).append(position)
    for stack in stacks.values():
        if len(stack) > 1:
            _sort(stack, writes)
    return list(stacks.values())


def _sort(stack: Stack, writes: Sequence[Write]) -> None:
    records = [writes[position].record for position in stack]
    # Sequence numbers of two streams do not compare; within one they have the last word on a second.
    one_stream = len({record.source for record in records}) == 1 and isinstance(records[0], TableRecord)

    def age(position: int) -> tuple[int, int, int, int]:
        write = writes[position]
        version = write.version or 0
        if not one_stream or not isinstance(write.record, TableRecord):
            return version, 0, 0, position
        return second_of(version), write.record.sequence or 0, version, position

    stack.sort(key=age)
