"""`backfill`: all items of tables into their indices."""

from __future__ import annotations

from collections.abc import Sequence

from ...app import App, Chosen
from ..progress import progress
from .command import Command, Output, counted, quietly, tell


def backfill_tables(chosen: Chosen) -> int:
    from ...operations.backfill import Manner, Scan, backfill
    from ...operations.tables import Which

    build = chosen.configuration.build
    with (
        App(quietly(chosen), chosen.routes) as app,
        progress("backfill", "items", silent=build(Output).json) as bar,
    ):
        done = backfill(app, build(Which), build(Scan), build(Manner), bar)
    words = ", ".join(f"{count:,} {name}" for name, count in sorted(done.counts.items()))
    tell(chosen, done.counts, f"{counted(done.counts.total(), 'item')}: {words}" if words else "no items")
    return 1 if done.counts["rejected"] else 0


def options() -> Sequence[type]:
    from ...operations.backfill import Manner, Scan
    from ...operations.tables import Which

    return [Which, Scan, Manner, Output]


COMMAND = Command(
    backfill_tables,
    "load all items of the routes' tables into their indices, while their streams are live",
    example="--table=images --segments=8 --read-units=500",
    options=options,
)
