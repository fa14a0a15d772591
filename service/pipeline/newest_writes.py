"""Step 4: keep only the newest write to each document of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ..model import Change, ObjectRecord, TableRecord
from ..model.outcomes import SUPERSEDED, Outcome, Result
from ..model.versions import NO_VERSION, second_of
from .delivery import Fence, Write, no_fence
from .prefetch import Prefetch
from .protocols import DocumentSink

Stack: TypeAlias = list[int]
"""The positions of all writes to one document, oldest first."""


def write_newest(
    writes: Sequence[Write], sink: DocumentSink, fence: Fence = no_fence, prefetch: Prefetch | None = None
) -> list[Result]:
    """Send the newest write to each document and return the result of every write, in order.

    - If the newest write is accepted, or refused as older than the document, the older ones are STALE.
    - If it is rejected, the next older one is sent.
    - If it is retried, the older ones are retried too.
    - Writes of version 0 (NO_VERSION) carry a re-read state. They are sent last, to conflict with the versions
      just written, and are not superseded by those writes.

    `prefetch` is work that may overlap with the request.
    """
    dated = [write for write in writes if write.version != NO_VERSION]
    results = _write_stacks(dated, sink, fence, prefetch)
    if len(dated) < len(writes):
        undated = [write for write in writes if write.version == NO_VERSION]
        waiting = {_place(write): result for write, result in results.items() if not result.outcome.done}
        results |= {write: waiting[_place(write)] for write in undated if _place(write) in waiting}
        results |= _write_stacks([write for write in undated if write not in results], sink, fence)
    return [results[write] for write in writes]


def _place(write: Write) -> tuple[str, str]:
    return write.target, write.id


def _write_stacks(
    writes: Sequence[Write], sink: DocumentSink, fence: Fence, prefetch: Prefetch | None = None
) -> dict[Write, Result]:
    stacks = stack_by_document(writes)
    results: dict[Write, Result] = {}
    while stacks:
        heads = [writes[stack.pop()] for stack in stacks]
        answers = sink.write(heads, fence, prefetch)
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
    """Return the positions of the writes to each document, oldest first.

    Writes of one shard are sorted by sequence number, writes of an object by version and sequencer. Others of one
    stream are sorted by second and sequence number, and those of several streams by version.
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
    # Sequence numbers of different streams are not comparable.
    one_stream = len({record.source for record in records}) == 1 and isinstance(records[0], TableRecord)

    def age(position: int) -> tuple[int, int, int, str, int]:
        write = writes[position]
        record, version = write.record, write.version or 0
        if isinstance(record, ObjectRecord):  # a version holds only the first digits of a sequencer
            return version, 0, 0, record.sequencer, position
        if not one_stream:
            return version, 0, 0, "", position
        return 0 if one_shard else second_of(version), record.sequence or 0, version, "", position

    stack.sort(key=age)


def _one_shard(records: Sequence[Change]) -> bool:
    """True if sequence numbers alone order the records, regardless of their times.

    An ordered batch comes from one shard. Records of scans have no sequence number.
    """
    return all(
        isinstance(record, TableRecord) and record.ordered and record.sequence is not None for record in records
    )
