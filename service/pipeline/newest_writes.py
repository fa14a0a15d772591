"""Of the writes to one document in a batch only the newest is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ..model import Change, ObjectRecord, TableRecord
from ..model.outcomes import SUPERSEDED, Outcome, Result
from ..model.versions import UNORDERED, second_of
from .prefetch import Meanwhile
from .protocols import DocumentSink, Write

Stack: TypeAlias = list[int]
"""The positions of the writes to one document, oldest first."""


def write_newest(writes: Sequence[Write], sink: DocumentSink, meanwhile: Meanwhile | None = None) -> list[Result]:
    """Writes the newest of each document and says how each of the writes ended.

    What the newest supersedes is STALE, but only once the newest is done: if it is rejected the next older
    one is sent, and if it has to come again they all have to. What has no version of its own is what was read: it
    is sent after the others, whose versions it then meets, and none of them supersedes it. What there is to do
    `meanwhile` may be done before there are answers.
    """
    undated = [write for write in writes if write.version == UNORDERED]
    dated = [write for write in writes if write.version != UNORDERED] if undated else writes
    results = _write_stacks(dated, sink, meanwhile)
    if undated:
        waiting = {_place(write): result for write, result in results.items() if not result.outcome.done}
        results |= {write: waiting[_place(write)] for write in undated if _place(write) in waiting}
        results |= _write_stacks([write for write in undated if write not in results], sink)
    return [results[write] for write in writes]


def _place(write: Write) -> tuple[str, str]:
    return write.target, write.id


def _write_stacks(
    writes: Sequence[Write], sink: DocumentSink, meanwhile: Meanwhile | None = None
) -> dict[Write, Result]:
    stacks = stack_by_document(writes)
    results: dict[Write, Result] = {}
    while stacks:
        heads = [writes[stack.pop()] for stack in stacks]
        answers = sink.write(heads, meanwhile)
        results.update(zip(heads, answers, strict=True))
        fallback = []
        for stack, answer in zip(stacks, answers, strict=True):
            if stack and answer.outcome is Outcome.REJECTED:
                fallback.append(stack)
            elif stack:
                rest = answer if answer.outcome is Outcome.RETRY else SUPERSEDED
                results.update((writes[position], rest) for position in stack)
        stacks = fallback
    return results


def stack_by_document(writes: Sequence[Write]) -> list[Stack]:
    """The writes of each document, oldest first.

    Those of one shard by sequence number, those of an object by sequencer, all others by version and within a
    second by sequence number.
    """
    stacks: dict[tuple[str, str], Stack] = {}
    for position, write in enumerate(writes):
        place = (write.target, write.id)
        if place in stacks:
            stacks[place].append(position)
        else:
            stacks[place] = [position]
    for stack in stacks.values():
        if len(stack) > 1:
            _sort(stack, writes)
    return list(stacks.values())


def _sort(stack: Stack, writes: Sequence[Write]) -> None:
    records = [writes[position].record for position in stack]
    one_shard = _one_shard(records)
    # Sequence numbers of two streams do not compare.
    one_stream = len({record.source for record in records}) == 1 and isinstance(records[0], TableRecord)

    def age(position: int) -> tuple[int, int, int, str, int]:
        write = writes[position]
        record, version = write.record, write.version or 0
        if isinstance(record, ObjectRecord):  # a version has only the first digits of a sequencer
            return version, 0, 0, record.sequencer, position
        if not one_stream:
            return version, 0, 0, "", position
        return 0 if one_shard else second_of(version), record.sequence or 0, version, "", position

    stack.sort(key=age)


def _one_shard(records: Sequence[Change]) -> bool:
    """True if the sequence numbers alone order the records, whatever their times say.

    A batch that comes in order is of one shard. Scans make records without a sequence number.
    """
    return all(
        isinstance(record, TableRecord) and record.ordered and record.sequence is not None for record in records
    )
