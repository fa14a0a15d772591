"""The command `record`: write the changes of a table to a file."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event, Timer

from ...bootstrap.application import App
from ...bootstrap.selection import Chosen
from ...bootstrap.signals import stops
from ...errors import SettingsError
from ...sinks.recordings import RecordingFile
from ...sources.scan import describe
from ..command import Command, Output, counted, print_result, quietly
from ..progress import progress
from .recording import RecordOptions, record


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
