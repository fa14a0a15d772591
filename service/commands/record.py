"""The command `record`: write the changes of a table to a file. The checkpoints of the group stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Timer

from ..bootstrap.application import App
from ..bootstrap.selection import Chosen
from ..bootstrap.signals import stops
from ..errors import Halt, SettingsError
from ..model.outcomes import APPLIED
from ..pipeline import Batch, Report
from ..settings import setting
from ..sinks.recordings import Masks, RecordingFile, lines_of
from ..sources.scan import describe
from .command import Command, Output, counted, print_result, quietly
from .progress import progress


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


def record_stream(chosen: Chosen) -> int:
    given = chosen.configuration.build(RecordOptions)
    if not given.table or not given.out:
        raise SettingsError("record needs --table=NAME and --out=FILE")
    stopping = Event()
    # The operator who started the command can fix the cause of a halt, so the command exits instead of waiting.
    with App(replace(quietly(chosen), on_halt="exit"), chosen.routes) as app:
        masks = app.masks
        table = describe(app.context, app.router.names.existing("table", given.table))
        masks.check(table.keys, f"table {table.name}")
        timer = Timer(given.seconds, stopping.set)
        silent = chosen.configuration.build(Output).json
        with (
            closing(open_file(given.out)) as file,
            stops(stopping),
            progress("record", "records", given.records or None, silent) as on_progress,
        ):
            if given.seconds:
                timer.start()
            try:
                count = record(app.tap(table.name, stopping), file, masks, stopping, given.records, on_progress)
            finally:
                timer.cancel()
    print_result(chosen, {"records": count, "file": given.out}, f"{counted(count)} written to {given.out}")
    return 0


def open_file(out: str) -> RecordingFile:
    try:
        return RecordingFile(Path(out))
    except OSError as error:
        raise SettingsError(f"--out={out} cannot be written: {error.strerror or error}") from error


COMMAND = Command(
    record_stream,
    "write the changes of a table from its stream to a file, until Ctrl-C; checkpoints are not changed",
    example="--table=images --out=images.jsonl.gz --for=60",
    options=(RecordOptions, Output),
)
