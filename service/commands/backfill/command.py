"""The command `backfill`: load all items of tables into their indices, or into new indices (`--rebuild`)."""

from __future__ import annotations

from ...bootstrap.application import App
from ...bootstrap.selection import Chosen
from ...errors import SettingsError
from ..command import Command, Output, counted, print_result, quietly
from ..confirmation import Consent
from ..progress import progress
from ..rebuild.rebuild import RebuildOptions, change
from ..tables import TableFilter
from ..verify import VerifyPatience
from .loading import BackfillOptions, Scan, backfill


def backfill_tables(chosen: Chosen) -> int:
    build = chosen.configuration.build
    what = build(RebuildOptions)
    wanted = [name for name in ("rebuild", "rollback", "drop_old", "abandon") if getattr(what, name)]
    if len(wanted) > 1:
        raise SettingsError(f"use only one of {', '.join('--' + name.replace('_', '-') for name in wanted)}")
    if what.loaded and not what.rebuild:
        raise SettingsError("--loaded continues a rebuild: use --rebuild --loaded")
    if what.accept_stale and not what.rollback:
        raise SettingsError("--accept-stale applies to a rollback: use --rollback --accept-stale")
    if what.index and not wanted:
        raise SettingsError("--index selects the index of --rebuild, --rollback, --drop-old or --abandon")
    if wanted:
        return change_indices(chosen)
    with (
        App(quietly(chosen), chosen.routes) as app,
        progress("backfill", "items", silent=build(Output).json) as bar,
    ):
        done = backfill(app, build(TableFilter), build(Scan), build(BackfillOptions), bar)
    if done.enqueued:
        queue = build(BackfillOptions).enqueue
        tasks = counted(done.enqueued, "task")
        text = f"{tasks} sent to queue {queue}, for workers with STREAMDEX_TASK_QUEUE={queue}"
        print_result(chosen, {"enqueued": done.enqueued}, text)
        return 0
    words = ", ".join(f"{count:,} {name}" for name, count in sorted(done.counts.items()))
    print_result(chosen, done.counts, f"{counted(done.counts.total(), 'item')}: {words}" if words else "no items")
    return 1 if done.counts["rejected"] else 0


def change_indices(chosen: Chosen) -> int:
    build = chosen.configuration.build
    good = True
    with (
        App(quietly(chosen), chosen.routes) as app,
        progress("rebuild", "items", silent=build(Output).json) as bar,
    ):
        patience = build(VerifyPatience).patience
        consents = build(Consent).given
        for one in change(
            app,
            build(TableFilter),
            build(RebuildOptions),
            build(Scan),
            build(BackfillOptions),
            patience,
            bar,
            consents,
        ):
            print_result(chosen, vars(one), f"{one.index}: {one.words}")
            good = good and one.done
    return 0 if good else 1


COMMAND = Command(
    backfill_tables,
    "load all items of tables into their indices, or rebuild the indices (--rebuild), while the streams are live",
    example="--table=images --rebuild --segments=8 --read-units=500",
    options=(TableFilter, Scan, BackfillOptions, RebuildOptions, Consent, VerifyPatience, Output),
)
