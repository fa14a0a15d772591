"""Write the records of a source to a file, and leave the checkpoints of the group unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Event

from ...errors import Halt
from ...model.outcomes import APPLIED
from ...pipeline import Batch, Report
from ...settings import setting
from ...sinks.recordings import Masks, RecordingFile, lines_of


@dataclass(frozen=True)
class RecordOptions:
    """The options of `record`: the table, the file, and the limits."""

    table: str = setting("", "table whose stream is recorded")
    out: str = setting("", "file to append the records to; compressed if its name ends in .gz")
    seconds: float = setting(
        0.0,
        "stop after this number of seconds; 0 for no limit",
        aliases=("for",),
        least=0,
    )
    records: int = setting(0, "stop after this number of records; 0 for no limit", least=0)


def record(
    source: Iterable[Batch],
    file: RecordingFile,
    masks: Masks,
    stopping: Event,
    most: int = 0,
    on_progress: Callable[[int], None] = lambda more: None,
) -> int:
    """Append the records of a source to a file until it ends, `stopping` is set, or `most` records are written.

    `most` = 0 means no limit. `on_progress` is called with the number of records after each batch. Return how many
    records were recorded. Raises Halt if the file cannot be written.
    """
    count = 0
    for batch in source:
        records = batch.delivery.records
        lines = lines_of(records, masks)
        lines = lines[: most - count] if most else lines
        try:
            if lines:
                file.append(b"".join(lines))
        except OSError as error:
            raise Halt(f"the recording {file.path} cannot be written: {error.strerror or error}") from error
        count += len(lines)
        on_progress(len(lines))
        if most and count >= most:
            stopping.set()
        batch.settle(Report([APPLIED] * len(records)))
    return count
