"""The command `replay`: dispatch the records of recordings again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from ...bootstrap.application import App
from ...bootstrap.selection import Chosen
from ...errors import SettingsError
from ...program import PROGRAM
from ..command import Command, Output, counted, print_result, quietly
from ..progress import progress
from .pace import ReplayRate, speed_of
from .rehearsal import Actions, Differences, Finding, Rehearsal
from .replay import DatedNow, Replayed, ReplayOptions, replay
from .selection import Selection
from .showing import value_of, words_of


def replay_recording(chosen: Chosen) -> int:
    mode, which = chosen.configuration.build(ReplayOptions), chosen.configuration.build(Selection)
    pace = ReplayRate(speed_of(mode.speed))
    with App(quietly(chosen), chosen.routes) as app:
        rehearsal = rehearsal_of(app, mode, show(chosen))
        dispatcher = app.replayer(mode.route, mode.current, rehearsal.outputs if rehearsal else None)
        takes = which.test(app.router.names)
        table = app.router.names.existing("table", which.table) if which.table else ""
        recordings = app.recordings(chosen.configuration.operands, table)
        silent = chosen.configuration.build(Output).json or (rehearsal is not None and sys.stdout.isatty())
        with progress("replay", "bytes", None if silent else recordings.size(), silent) as on_progress:
            replayed = replay(
                recordings.read(on_progress),
                dispatcher,
                takes=takes,
                one_route=bool(mode.route),
                pace=pace,
                **({"dates": DatedNow(app.context, app.router)} if mode.current else {}),
            )
    return summarise(chosen, replayed, rehearsal)


def rehearsal_of(app: App, mode: ReplayOptions, show: Callable[[Finding], None]) -> Rehearsal | None:
    """Return the rehearsal of `--dry-run` or `--diff`; None without them. Raises SettingsError if both are set."""
    if mode.dry_run and mode.diff:
        raise SettingsError("--dry-run shows the writes, --diff the changes to the index: use only one of them")
    if mode.dry_run:
        return Rehearsal(Actions(app.context), show)
    if mode.diff:
        _ = app.context.search  # a missing address is an error before the replay starts
        return Rehearsal(Differences(app.context), show)
    return None


def show(chosen: Chosen) -> Callable[[Finding], None]:
    """Return a function that prints findings. It keeps the present `sys.stdout`: a progress bar redirects it."""
    as_json, out = chosen.configuration.build(Output).json, sys.stdout

    def print_finding(finding: Finding) -> None:
        for line in [json.dumps(value_of(finding))] if as_json else words_of(finding):
            print(line, file=out)

    return print_finding


def summarise(chosen: Chosen, replayed: Replayed, rehearsal: Rehearsal | None) -> int:
    """Print the result of the replay and return the exit code."""
    counts = (
        dict(replayed.counts) if rehearsal is None else {**rehearsal.counts, "skipped": replayed.counts["skipped"]}
    )
    counts |= {"filtered out": replayed.filtered}
    counts = {name: count for name, count in sorted(counts.items()) if count}
    words = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    print_result(chosen, counts, f"{counted(replayed.records)}: {words}" if words else "no records")
    for reason, count in replayed.unrouted.items():
        print(f"{counted(count)}: {reason}", file=sys.stderr)
    if replayed.unreadable:
        words = f"{counted(replayed.unreadable)} could not be read and may match the filter"
        print(f"{words}; first error: {replayed.unread}", file=sys.stderr)
    if rehearsal is not None:
        print("nothing was written", file=sys.stderr)
    elif replayed.all_stale:
        remedy = (
            f"`{PROGRAM} verify --repair`" if chosen.configuration.build(ReplayOptions).current else "--current"
        )
        words = "nothing was written: the index has newer documents or newer deletions"
        print(f"{words}. To write the current items instead, use {remedy}", file=sys.stderr)
    elif replayed.counts["rejected"]:
        print(f"rejected records and their reasons are stored in {chosen.settings.dead_letters}", file=sys.stderr)
    return 0 if replayed.complete and (rehearsal is None or not rehearsal.differs) else 1


COMMAND = Command(
    replay_recording,
    "dispatch the records of recordings again; --dry-run and --diff show the effect and write nothing",
    example="recording.jsonl s3://backups/AWSDynamoDB/01700000000000-abc/ --table=images --diff",
    operands=("FILES",),
    options=(ReplayOptions, Selection, Output),
)
